"""Fitting an untrained network to one picture: the compiled loop and what it remembers."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from ..errors import TrainingError

# weight of the newest output in the average that `variance` is around
_RECENT = 0.1
# looks in a row at which the output is not finite
_LOST = 3


class PictureFit(keras.Model):
    """A network whose parameters are fitted to one picture.

    Parameters
    ----------
    network : keras.Model
        From (1, ..., channels of z) to (1, ..., C).
    z : ndarray (1, ..., channels)
        The network's input, which stays as it is.
    target, weight : ndarray (1, ..., C)
        The picture, and how much each value counts (0: not at all).
    shape : tuple of int
        Of the output that is wanted, (1, ..., C): the middle of the network's.
    measure : callable
        From an output to what is compared with the picture.
    input_noise, parameter_noise, average : float
        As in `n2v_tk.config.dip.DIPConfig`.
    seed : int
        Of the noise.
    """

    def __init__(
        self,
        network: keras.Model,
        z: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        shape: tuple[int, ...],
        measure: Callable,
        input_noise: float = 0.0,
        parameter_noise: float = 0.0,
        average: float = 0.99,
        seed: int = 0,
    ):
        # the noise and what is remembered are float32, whatever the network computes in
        super().__init__(dtype="float32")
        self.network = network
        self.measure = measure
        self.input_noise, self.parameter_noise = input_noise, parameter_noise
        self.momentum = average
        self._noisy_kernels = [
            layer.kernel for layer in network.layers if parameter_noise and hasattr(layer, "kernel")
        ]
        given = {"z": z, "target": target, "weight": weight}
        for name, value in given.items():
            setattr(self, name, self._keep(name, value.shape))
            getattr(self, name).assign(value)
        self.count = float(weight.sum())
        self.now = self._keep("now", shape)
        self.averaged = self._keep("averaged", shape)
        self.recent = self._keep("recent", shape)
        self.step = self._keep("step", ())
        self.variance = self._keep("variance", ())
        self.noise = keras.random.SeedGenerator(seed)
        self.built = True

    def _keep(self, name, shape):
        return self.add_weight(
            name=name, shape=shape, initializer="zeros", trainable=False, dtype="float32"
        )

    def call(self, inputs, training=True):
        # `inputs` only count the steps
        z = ops.convert_to_tensor(self.z)
        if self.input_noise:
            z = z + self.input_noise * keras.random.normal(z.shape, seed=self.noise)
        output = ops.cast(self._apply(z), "float32")
        index = tuple(
            slice((have - want) // 2, (have - want) // 2 + want)
            for have, want in zip(output.shape[1:-1], self.now.shape[1:-1], strict=True)
        )
        output = output[(slice(None), *index)]
        if training:
            self._remember(ops.stop_gradient(output))
        return output

    def _apply(self, z):
        """The network's output, its kernels disturbed if that is asked for."""
        if not self._noisy_kernels:
            return self.network(z, training=True)
        # every variable, since the scope hides what they are outside of it
        values = {id(v): ops.convert_to_tensor(v) for v in self.network.variables}
        for kernel in self._noisy_kernels:
            noise = keras.random.normal(kernel.shape, seed=self.noise)
            spread = self.parameter_noise * ops.stop_gradient(ops.std(values[id(kernel)]))
            values[id(kernel)] += spread * noise
        mapping = [(v, values[id(v)]) for v in self.network.variables]
        with keras.StatelessScope(state_mapping=mapping):
            return self.network(z, training=True)

    def _remember(self, output):
        # the average begins with the first output and is soon rid of it: over the first thousand
        # steps it spans the last tenth of them
        momentum = ops.minimum(self.step / (self.step + 10.0), self.momentum)
        self.averaged.assign(self.averaged + (1.0 - momentum) * (output - self.averaged))
        # variance around a short average, both exponentially weighted (Wang et al. 2021,
        # algorithm 2, with its weight of 0.1)
        first = ops.cast(self.step < 0.5, "float32")
        change = (1.0 - first) * (output - self.recent)
        self.recent.assign(first * output + (1.0 - first) * (self.recent + _RECENT * change))
        spread = ops.mean(ops.square(change))
        self.variance.assign((1.0 - _RECENT) * (self.variance + _RECENT * spread))
        self.now.assign(output)
        self.step.assign(self.step + 1.0)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        fitted = self.measure(y_pred)
        return ops.sum(self.weight * ops.square(fitted - self.target)) / self.count

    def state(self) -> dict[str, np.ndarray]:
        """All that changes, by name: parameters, seeds, averages, optimiser."""
        return {name: ops.convert_to_numpy(v) for name, v in self._changing().items()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        for name, variable in self._changing().items():
            variable.assign(state[name])

    def set_parameters(self, state: dict[str, np.ndarray]) -> None:
        """Take only the parameters of the network from what `state` returned."""
        parameters = {id(v) for v in self.trainable_variables}
        for name, variable in self._changing().items():
            if id(variable) in parameters:
                variable.assign(state[name])

    def _changing(self):
        given = {id(v) for v in (self.z, self.target, self.weight)}
        variables = [v for v in self.variables if id(v) not in given]
        named = {f"v{i}": v for i, v in enumerate(variables)}
        return named | {f"o{i}": v for i, v in enumerate(self.optimizer.variables)}

    def run(self, steps: int, check_every: int, look: Callable[[int], bool]) -> None:
        """Make so many steps, in compiled runs of `check_every`.

        Parameters
        ----------
        steps : int
            In all, those made before included.
        check_every : int
            Steps from look to look.
        look : callable
            Called with the number of steps after each run; True ends the fit.
        """
        looks = _Looks(self, look)
        done = int(self.step)
        while done < steps and not looks.enough:
            left = steps - done
            length = min(left, check_every - done % check_every)
            # as many equal runs as there are; what is left over comes alone
            runs = left // check_every if length == check_every else 1
            # on torch there is nothing to compile
            compiled = keras.backend.backend() != "torch"
            self.steps_per_execution = length if compiled else 1
            self.make_train_function(force=True)
            if keras.backend.backend() == "tensorflow":
                from .backend_tf import empty_batches

                batches = {"x": empty_batches(length)}
            else:
                batches = {"x": np.zeros((length, 1), np.float32), "batch_size": 1}
            self.fit(
                **batches,
                epochs=runs,
                shuffle=False,
                verbose=0,
                callbacks=[looks],
            )
            done = int(self.step)


class _Looks(keras.callbacks.Callback):
    """Calls `look` after each run."""

    def __init__(self, fit, look):
        super().__init__()
        self.fit_model, self.look = fit, look
        self.enough = False

    def on_epoch_end(self, epoch, logs=None):
        if self.look(int(self.fit_model.step)):
            self.enough = self.model.stop_training = True


class Backtracking:
    """Goes back to the parameters of the last look when the fit suddenly got worse.

    Ulyanov et al., published code. An output that is not finite is such a case, in which the
    optimiser and all averages go back too.

    Parameters
    ----------
    fit : PictureFit
    decibels : float or None
        By which the fit must have got worse; None only minds outputs that are not finite.

    Raises
    ------
    TrainingError
        If the output stays infinite or NaN.
    """

    def __init__(self, fit: PictureFit, decibels: float | None):
        self.fit, self.decibels = fit, decibels
        self.good = None
        self.before = -np.inf
        self._lost = 0

    def look(self, psnr: float) -> bool:
        """Whether the parameters went back; `psnr` is that of the fit."""
        if not np.isfinite(psnr):
            self._lost += 1
            if self.good is None or self._lost >= _LOST:
                raise TrainingError(
                    "The output of the network became infinite or NaN. Received: "
                    f"{self._lost} look(s) in a row. Take a lower learning_rate, or "
                    "precision='float32'."
                )
            # on from there with other noise, which else would lead to the same end
            kept = [(v, ops.convert_to_numpy(v)) for v in (self.fit.step, self.fit.noise.state)]
            self.fit.set_state(self.good)
            for variable, value in kept:
                variable.assign(value)
            return True
        self._lost = 0
        if self.decibels is not None and psnr < self.before - self.decibels:
            self.fit.set_parameters(self.good)
            return True
        self.good, self.before = self.fit.state(), psnr
        return False


class StopRule:
    """Stops when a number that should fall has not done so for some steps.

    Parameters
    ----------
    patience : int
        Steps.
    """

    def __init__(self, patience: int):
        self.patience = patience
        self.best_value, self.best_step = np.inf, 0

    def look(self, step: int, value: float) -> tuple[bool, bool]:
        """Whether the value is the best so far, and whether it is time to stop."""
        if value < self.best_value:
            self.best_value, self.best_step = value, step
            return True, False
        return False, step - self.best_step >= self.patience
