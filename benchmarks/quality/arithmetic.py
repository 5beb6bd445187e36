"""Floating-point operations of a network, counted from what JAX traces, without a device."""

import math


def forward_operations(network, shape):
    """Of one forward pass, multiplications and additions apart.

    Those of convolutions and products of matrices, padding included; what else there is, element
    by element, is not counted.

    Parameters
    ----------
    network : keras.Model
        On the JAX backend.
    shape : tuple of int
        Of a batch.
    """
    import jax

    batch = jax.ShapeDtypeStruct(shape, "float32")
    return operations(jax.make_jaxpr(lambda x: network(x, training=False))(batch).jaxpr)


def operations(jaxpr):
    """Of a `jax.core.Jaxpr`, with those that it calls."""
    total = 0
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        if name == "conv_general_dilated":
            total += _convolution(equation)
        elif name == "dot_general":
            total += _product(equation)
        elif name == "while":
            raise ValueError(
                "Loops must have a length that the trace tells. Received: while. Use jax.lax.scan."
            )
        elif name == "cond":
            total += max(map(operations, _called(parameters)))
        else:
            times = parameters["length"] if name == "scan" else 1
            total += times * sum(map(operations, _called(parameters)))
    return total


def _called(parameters):
    """The jaxprs among the parameters of an equation."""
    for value in parameters.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            one = getattr(one, "jaxpr", one)
            if hasattr(one, "eqns"):
                yield one


def _convolution(equation):
    kernel = equation.invars[1].aval.shape
    outputs = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
    # a kernel has the input channels of one group only
    return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(kernel) // outputs


def _product(equation):
    (contracted, _), _ = equation.params["dimension_numbers"]
    sides = equation.invars[0].aval.shape
    terms = math.prod(sides[axis] for axis in contracted)
    return 2 * math.prod(equation.outvars[0].aval.shape) * terms
