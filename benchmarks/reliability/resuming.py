"""Trainings of every method, gone on with from each of their epochs."""

import shutil
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np

from n2v_tk import (
    CARE,
    HQSSL,
    N2N,
    N2V,
    R2R,
    CAREConfig,
    DeepImagePrior,
    DIPConfig,
    HQSSLConfig,
    MaskedDenoiser,
    MaskedDenoiserConfig,
    N2NConfig,
    N2VConfig,
    R2RConfig,
)

HEADER = ["method", "resumed from", "identical to the bit"]
EPOCHS = 4
TRAINING = {
    "train_epochs": EPOCHS, "train_steps_per_epoch": 3, "train_batch_size": 2, "train_seed": 5,
}  # fmt: skip


def images():
    return np.random.default_rng(0).normal(100, 10, (4, 64, 64, 1)).astype(np.float32)


def n2v(folder, **settings):
    noisy = images()
    small = {"unet_n_first": 4, "unet_kern_size": 3, "n2v_patch_shape": (32, 32)}
    return N2V(N2VConfig(noisy, **TRAINING, **small, **settings), "model", folder), (
        noisy[:3],
        noisy[3:],
    )


def n2n(folder):
    noisy = images()
    config = N2NConfig(noisy, **TRAINING, net_width=3, train_patch_shape=(32, 32), train_loss="l0")
    pair = (noisy[:2], noisy[2:])
    return N2N(config, "model", folder), (*pair, pair)


def r2r(folder):
    noisy = images()
    config = R2RConfig(noisy, **TRAINING, unet_n_first=4, train_patch_shape=(32, 32))
    return R2R(config, "model", folder), (noisy[:3], noisy[3:])


def hqssl(folder):
    noisy = images()
    config = HQSSLConfig(
        noisy, **TRAINING, noise_model="gaussian", net_width=4, train_patch_shape=(32, 32)
    )
    return HQSSL(config, "model", folder), (noisy[:3], noisy[3:])


def masked(folder):
    noisy = images()
    config = MaskedDenoiserConfig(
        noisy, **TRAINING, value_range=(0, 200), net_width=12, net_depths=(2,),
        train_patch_shape=(16, 16), train_ema=0.9,
    )  # fmt: skip
    return MaskedDenoiser(config, "model", folder), (noisy[:3], noisy[3:])


def care(folder):
    noisy = images()
    config = CAREConfig(**TRAINING, axes="YXC", unet_n_first=4, train_patch_shape=(32, 32))
    return CARE(config, "model", folder), (noisy[:2], noisy[2:], (noisy[:1], noisy[3:]))


METHODS = {
    "N2V, drop-out, plateau": lambda folder: n2v(
        folder, unet_dropout=0.3, train_reduce_lr={"factor": 0.5, "patience": 1}
    ),
    "N2V, average of weights, cosine": lambda folder: n2v(
        folder, train_ema=0.9, train_schedule="cosine", train_keep="last"
    ),
    "Noise2Noise": n2n,
    "R2R": r2r,
    "HQ-SSL": hqssl,
    "masked training": masked,
    "CARE": care,
}


class Copies(keras.callbacks.Callback):
    """Copies of the model folder when epochs begin: what a kill would leave behind then."""

    def __init__(self, folder, copies):
        super().__init__()
        self.folder, self.copies = folder, copies

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            shutil.copytree(self.folder, self.copies / str(epoch) / "model")


def resume_from_epochs(make, folder: Path, epochs) -> list[bool]:
    """Whether the end is the same from each of some epochs on: weights, losses, the state."""
    whole, data = make(folder / "whole")
    whole.prepare_for_training()
    whole.callbacks.append(Copies(whole.logdir, folder))
    history = whole.train(*data, verbose=0)
    found = []
    for epoch in epochs:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a model in")
            resumed, data = make(folder / str(epoch))
        again = resumed.train(*data, verbose=0, resume=True)
        found.append(
            _same(_state(whole), _state(resumed))
            and _same(_weights(whole), _weights(resumed))
            and np.array_equal(history.history["loss"], again.history["loss"])
        )
    return found


def _weights(model):
    return model.keras_model.get_weights()


def _state(model):
    with np.load(model.logdir / "training_state.npz") as file:
        return [file[name] for name in sorted(file.files) if name != "facts"]


def _same(a, b):
    return len(a) == len(b) and all((x == y).all() for x, y in zip(a, b, strict=True))


def deep_image_prior(folder: Path) -> list[bool]:
    """The same for Deep Image Prior, stopped at each of its looks."""
    picture = images()[0, ..., 0]

    def fit(place, stop_at=None, resume=False):
        config = DIPConfig(
            down_channels=(8, 8), iterations=40, check_every=10, stop="variance", patience=400,
            seed=5,
        )  # fmt: skip
        return DeepImagePrior(config).fit(
            picture, "YX", folder=place, resume=resume,
            on_look=lambda progress: progress.iteration == stop_at,
        )  # fmt: skip

    whole = fit(folder / "whole")
    found = []
    for look in (10, 20, 30):
        fit(folder / str(look), stop_at=look)
        resumed = fit(folder / str(look), resume=True)
        same = whole.history == resumed.history and np.array_equal(whole.image, resumed.image)
        found.append(bool(same))
    return found


def run(options):
    """A row per method and epoch."""
    rows = []
    for name, make in {**METHODS, "Deep Image Prior": None}.items():
        with tempfile.TemporaryDirectory() as folder:
            if make is None:
                found, unit = deep_image_prior(Path(folder)), "look"
            else:
                found, unit = resume_from_epochs(make, Path(folder), range(1, EPOCHS)), "epoch"
        rows += [(name, f"{unit} {i}", "yes" if same else "NO") for i, same in enumerate(found, 1)]
    good = all(row[2] == "yes" for row in rows)
    return "Interrupted and resumed", HEADER, rows, good
