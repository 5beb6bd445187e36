"""Floating-point operations that benchmarks count in traces of JAX."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

jax = pytest.importorskip("jax")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def count(monkeypatch):
    """Operations of a function of arrays of given shapes."""
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.quality.arithmetic import operations

    def count(function, *shapes):
        arrays = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
        return operations(jax.make_jaxpr(function)(*arrays).jaxpr)

    return count


def convolve(x, kernel, groups=1, strides=(1, 1)):
    return jax.lax.conv_general_dilated(
        x, kernel, strides, "SAME", feature_group_count=groups,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


def test_convolutions(count):
    image, kernel = (5, 8, 10, 6), (3, 3, 6, 4)
    each = 2 * 3 * 3 * 6
    assert count(convolve, image, kernel) == each * 5 * 8 * 10 * 4
    strided = count(lambda x, k: convolve(x, k, strides=(2, 2)), image, kernel)
    assert strided == each * 5 * 4 * 5 * 4
    # every output reads the channels of its group only
    grouped = count(lambda x, k: convolve(x, k, groups=2), image, (3, 3, 3, 4))
    assert grouped == each // 2 * 5 * 8 * 10 * 4


def test_products_of_matrices(count):
    import jax.numpy as jnp

    assert count(jnp.matmul, (7, 3, 5), (7, 5, 4)) == 2 * 7 * 3 * 5 * 4
    assert count(lambda a, b: jnp.einsum("abc,bcd->ad", a, b), (2, 3, 4), (3, 4, 5)) == (
        2 * 2 * 12 * 5
    )


def test_what_is_called_counts_too(count):
    import jax.numpy as jnp

    @jax.custom_jvp
    def product(a, b):
        return jax.jit(jnp.matmul)(a, b)

    product.defjvp(lambda primals, tangents: (product(*primals), tangents[0]))

    def repeated(a, b):
        return jax.lax.scan(lambda c, _: (product(c, b), None), a, length=6)[0]

    def either(a, b):
        return jax.lax.cond(a[0, 0] > 0, product, lambda a, b: product(a, b) @ b, a, b)

    once = 2 * 3 * 4 * 4
    assert count(jax.jit(product), (3, 4), (4, 4)) == once
    assert count(repeated, (3, 4), (4, 4)) == 6 * once
    assert count(either, (3, 4), (4, 4)) == 2 * once


def test_loops_of_unknown_length_are_refused(count):
    def endless(a):
        return jax.lax.while_loop(lambda a: a[0, 0] > 0, lambda a: a @ a, a)

    with pytest.raises(ValueError, match="Received: while"):
        count(endless, (3, 3))


NETWORKS = """
import jax
import numpy as np
from benchmarks.quality.arithmetic import forward_operations
from n2v_tk.nets.blindspot import build_blindspot
from n2v_tk.nets.unet import build_unet

def counted(network, shape):
    forward = jax.jit(lambda x: network(x, training=False)).lower(np.zeros(shape, np.float32))
    print(forward_operations(network, shape), forward.compile().cost_analysis()["flops"])

counted(build_unet((None, None, 1), "linear", 1, 16, batch_norm=True), (2, 64, 64, 1))
counted(build_blindspot((None, None, 1), 2, 16), (1, 64, 64, 1))
"""


@pytest.mark.slow
def test_networks_of_keras():
    """By hand, and as the compiler has it, which leaves padding out and counts the rest too."""
    done = subprocess.run(
        [sys.executable, "-c", NETWORKS], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (unet, of_compiler), (blind_spot, of_its) = (
        map(float, line.split()) for line in done.stdout.splitlines()
    )
    # channels in times channels out of the convolutions of 3 x 3, by their pixels
    full, half = 1 * 16 + 16 * 16 + 32 * 16 + 16 * 16, 16 * 32 + 32 * 16
    pixels = 2 * 64 * 64
    assert unet == 2 * (9 * (full * pixels + half * pixels // 4) + 16 * pixels)
    assert unet == pytest.approx(of_compiler, rel=0.05)
    assert blind_spot == pytest.approx(of_its, rel=0.1)
