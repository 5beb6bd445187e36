"""What a network will take, reckoned from its settings before anything of it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..machine import amount, memory_total

# bytes that Keras and the graph take for a layer, whatever its size: measured, 60 to 120 kB
_LAYER = 100_000
_NUMBER = 4
# no single computer has as much; what a step takes on this one depends on its GPUs
TRAINING_LIMIT = 2**42


@dataclass(frozen=True)
class NetworkSize:
    """What a network consists of.

    Parameters
    ----------
    weights : int
        Numbers that are kept.
    features : float
        Numbers that come out of all convolutions, for each pixel of the input.
    layers : int
    constants : int
        Numbers that are worked out when it is made.
    """

    weights: float = 0
    features: float = 0.0
    layers: int = 0
    constants: float = 0

    def __add__(self, other: NetworkSize) -> NetworkSize:
        return NetworkSize(
            self.weights + other.weights,
            self.features + other.features,
            self.layers + other.layers,
            self.constants + other.constants,
        )

    def __mul__(self, times: int) -> NetworkSize:
        return NetworkSize(
            times * self.weights, times * self.features, times * self.layers, self.constants
        )

    @property
    def build_bytes(self) -> float:
        """Memory to make it: the weights, drawn in one array and copied to another."""
        return _NUMBER * (2 * self.weights + self.constants) + _LAYER * self.layers


def convolution(
    channels: int, filters: int, pixels: float, share: float = 1.0, norm: bool = False
) -> NetworkSize:
    """Size of one convolution.

    Parameters
    ----------
    channels, filters : int
        In and out.
    pixels : int
        Of its kernel.
    share : float
        Pixels of its output, for each pixel of the network's input.
    norm : bool
        With batch normalisation, which has four numbers per filter.
    """
    weights = channels * filters * pixels + filters + 4 * filters * norm
    # with norm and activation
    return NetworkSize(weights, filters * share * (1 + norm), 2 + norm)


def unet(
    n_dim: int,
    channels: int,
    n_out: int,
    depth: int,
    first: int,
    kernel: int,
    norm: bool,
    blur: bool,
    wide: bool,
    skips_top: bool,
    heads: int = 1,
) -> NetworkSize:
    """Size of `n2v_tk.nets.unet.build_unet` with two convolutions per level.

    Parameters
    ----------
    n_dim, channels, n_out, depth, first, kernel
        Spatial axes, channels of input and output, poolings, filters of the first level, side of
        kernels.
    norm, blur, wide : bool
        Batch normalisation; blur pooling; as many filters on the way up as on the way down.
    skips_top : bool
        No top skip connection.
    heads : int
        2 for mean and scale.
    """
    pixels, total, x = kernel**n_dim, NetworkSize(), channels

    def convolve(filters, level):
        nonlocal total, x
        total += convolution(x, filters, pixels, 2.0 ** (-n_dim * level), norm)
        x = filters

    for level in range(depth):
        convolve(first * 2**level, level)
        convolve(first * 2**level, level)
        total += NetworkSize(9 * x if blur and n_dim == 2 else 0, 0, 2)
    convolve(first * 2**depth, depth)
    convolve(first * 2 ** max(0, depth - 1), depth)
    for level in reversed(range(depth)):
        if level > 0 or not skips_top:
            x += first * 2**level
        convolve(first * 2**level if wide else first, level)
        convolve(first * 2 ** max(0, level - 1), level)
        total += NetworkSize(0, 0, 2)
    for _ in range(heads):
        total += convolution(x, n_out, 1)
    return total


def encoder_decoder(
    channels: int, width: int, last: tuple[int, int] | None = None, depth: int = 5
) -> tuple[NetworkSize, int]:
    """Size, and filters at its end, of `n2v_tk.nets.blindspot`'s encoder and decoder."""
    total, x, skips = NetworkSize(), channels, [channels]

    def convolve(filters, level):
        nonlocal total, x
        total += convolution(x, filters, 9, 4.0**-level)
        x = filters

    convolve(width, 0)
    for level in range(depth):
        convolve(width, level)
        skips.append(width)
    skips.pop()
    convolve(width, depth)
    for level in reversed(range(depth)):
        x += skips.pop()
        filters = last if level == 0 and last else (2 * width, 2 * width)
        for count in filters:
            convolve(count, level)
    return total, x


def pointwise(channels: int, hidden: Sequence[int], n_out: int) -> NetworkSize:
    """Size of convolutions of 1 x 1, one after the other."""
    total = NetworkSize()
    for filters in (*hidden, n_out):
        total += convolution(channels, filters, 1)
        channels = filters
    return total


def swinir(
    channels: int, width: int, depths: Sequence[int], heads: int, window: int
) -> NetworkSize:
    """Size of `n2v_tk.nets.swinir.build_swinir`."""
    narrow = width // 4
    bottleneck = (
        convolution(width, narrow, 9)
        + convolution(narrow, narrow, 1)
        + convolution(narrow, width, 9)
    )
    weights = (
        4 * width  # two norms
        + 4 * width * (width + 1)  # queries, keys, values, projection
        + (2 * window - 1) ** 2 * heads  # a bias for every distance
        + width * (4 * width + 3)  # two layers of twice the width between them
    )
    layer = NetworkSize(weights, 12 * width + 2 * heads * window**2, 12)
    # every pixel of a window with every other one, for each head
    pairs = NetworkSize(constants=(4 + heads) * window**4)
    total = convolution(channels, width, 1) + NetworkSize(4 * width, 0, 4)
    for depth in depths:
        total += layer * depth + bottleneck
    return total + pairs + bottleneck + convolution(width, channels, 9)


def hourglass(
    channels: int,
    n_out: int,
    n_dim: int,
    down: Sequence[int],
    up: Sequence[int],
    skip: Sequence[int],
    kernel_down: int,
    kernel_up: int,
    one_by_one: bool,
) -> NetworkSize:
    """Size of `n2v_tk.nets.hourglass.build_hourglass`."""
    total, x = NetworkSize(), channels
    for level, (filters, skipped) in enumerate(zip(down, skip, strict=True)):
        share = 2.0 ** (-n_dim * level)
        if skipped:
            total += convolution(x, skipped, 1, share, True)
        deeper = 2.0 ** (-n_dim * (level + 1))
        total += convolution(x, filters, kernel_down**n_dim, deeper, True)
        total += convolution(filters, filters, kernel_down**n_dim, deeper, True)
        x = filters
    for level in reversed(range(len(down))):
        share = 2.0 ** (-n_dim * level)
        x += skip[level]
        total += NetworkSize(4 * x, x * share, 5)
        total += convolution(x, up[level], kernel_up**n_dim, share, True)
        if one_by_one:
            total += convolution(up[level], up[level], 1, share, True)
        x = up[level]
    return total + convolution(x, n_out, 1)


def check_network(size: NetworkSize, settings: dict) -> None:
    """Refuse a network that cannot be made on this computer.

    Raises
    ------
    ConfigError
    """
    there = memory_total()
    if size.build_bytes > there:
        raise ConfigError(
            f"The network of these settings is too large: {size.weights:.3g} weights in "
            f"{size.layers:.3g} layers take {amount(size.build_bytes)} of memory, where this "
            f"computer has {amount(there)}. Received: {_named(settings)}. Make these smaller."
        )


def check_step(size: NetworkSize, pixels: float, batch: int, settings: dict) -> None:
    """Refuse a step of training that no computer could take.

    Parameters
    ----------
    size : NetworkSize
    pixels, batch : int
        Of a patch; patches.
    settings : dict
        Those that make it so, for the message.

    Raises
    ------
    ConfigError
    """
    n_bytes = step_bytes(size, pixels, batch)
    if n_bytes > TRAINING_LIMIT:
        raise ConfigError(
            f"A step of training with these settings takes {amount(n_bytes)} of memory, more than "
            f"any computer has. Received: {_named(settings)}. Make these smaller."
        )


def step_bytes(size: NetworkSize, pixels: float, batch: int) -> float:
    """Memory of a step: weights, gradients, two moments, and what every layer gave."""
    return _NUMBER * (4 * size.weights + size.features * pixels * batch)


def _named(settings):
    shown = []
    for name, value in settings.items():
        text = repr(value)
        shown.append(f"{name}={text if len(text) <= 60 else text[:57] + '...'}")
    return ", ".join(shown)
