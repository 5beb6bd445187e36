"""Settings of U-Nets that learn fast: which they are, and for which images."""

from __future__ import annotations

from ..errors import ImageError
from .checks import image_list
from .unet import count_dimensions

# Chosen on images held out from Train400, four minutes of one core each; `python -m benchmarks
# quality recipe` compares them with their neighbours. Without batch normalisation the rate rises
# slowly at first.
SHARED = {
    "unet_kern_size": 3,
    "batch_norm": False,
    "train_schedule": "ramps",
    "train_ramps": (0.05, 0.3),
    "train_learning_rate": 2e-3,
    "train_batch_size": 4,
    "train_epochs": 20,
    "train_steps_per_epoch": 400,
}
RECOMMENDED = {**SHARED, "n2v_perc_pix": 3.0}
# The mean of the nearest neighbours is something the network knows anyway, so nothing teaches it to
# leave out the middle of what it sees, which is the pixel itself when it predicts. But it teaches
# that the middle is smooth, which it is not then: without a weight for means, results are too
# bright or too dark in places.
RECOMMENDED_N2V = {
    "n2v_manipulator": "mean",
    "n2v_neighborhood_radius": 1,
    "n2v_mean_weight": 1.0,
}
# `python -m benchmarks quality volume` compares with their neighbours
RECOMMENDED_3D = {"train_batch_size": 4, "train_steps_per_epoch": 40}
# every blind spot hides a whole line, so there are few; `python -m benchmarks quality lines`
RECOMMENDED_STRUCT = {"train_learning_rate": 1e-3, "n2v_perc_pix": 1.0}


def recommended_settings(X, method: str, depth: int, settings: dict) -> dict:
    """What `N2VConfig.recommended` takes for images and a method, with `settings` in its place.

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C) or sequence of such, or None
        Noisy training images.
    method : {'n2v', 'n2v2', 'structn2v'}
    depth : int
        Of the network, which sides of patches are divisible by.
    settings : dict

    Raises
    ------
    ImageError
        If an image is smaller than the network can take.
    """
    n_dim = settings.get("n_dim", 2) if X is None else count_dimensions(X)
    loss = settings.get("train_loss", "laplace" if settings.get("probabilistic") else "mse")
    struct = method == "structn2v" or settings.get("structN2Vmask") is not None
    near = (
        (method, struct) == ("n2v", False)
        and settings.get("n2v_manipulator", "mean") == "mean"
        # the weight for means is that of a squared error
        and loss == "mse"
    )
    settings = {
        **RECOMMENDED,
        **(RECOMMENDED_N2V if near else {}),
        **(RECOMMENDED_STRUCT if struct else {}),
        **(RECOMMENDED_3D if n_dim == 3 else {}),
        "train_loss": loss,
        **settings,
    }
    if "n2v_patch_shape" not in settings:
        settings["n2v_patch_shape"] = patch_for(X, n_dim, depth)
    return settings


def divisor_of(depth) -> int:
    """What sides of patches are divisible by; a depth that is none is refused with the settings."""
    return 2**depth if isinstance(depth, int) and 1 <= depth <= 8 else 4


def patch_for(X, n_dim, depth):
    """The usual patch, smaller where images are."""
    divisor = divisor_of(depth)
    wanted = (64, 64) if n_dim == 2 else (16, 64, 64)
    wanted = tuple(max(side, divisor) for side in wanted)
    if X is None:
        return wanted
    images = image_list(X)
    smallest = [min(i.shape[axis + 1] for i in images) for axis in range(n_dim)]
    patch = tuple(min(w, s // divisor * divisor) for w, s in zip(wanted, smallest, strict=True))
    if not all(patch):
        raise ImageError(
            f"The image is too small for the network: every side must be at least {divisor} "
            f"pixels. Received: sides {tuple(smallest)}. Denoise it as planes (n_dim=2) or with a "
            "smaller unet_n_depth."
        )
    return patch
