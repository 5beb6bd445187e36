import keras
import numpy as np
import pytest

from n2v_tk import CARE, N2V, CAREConfig, N2VConfig

CASES = {
    "n2v": {},
    "n2v2": {"blurpool": True, "skip_skipone": True},
    "rgb": {"channels": 3},
    "rgb joint": {"channels": 3, "single_net_per_channel": False},
    "3d": {"n_dim": 3},
    "3d blurpool": {"n_dim": 3, "blurpool": True, "skip_skipone": True},
    "probabilistic": {"probabilistic": True, "channels": 2},
    "image": {"normalization": "image"},
    "percentile": {"normalization": "percentile"},
    "none": {"normalization": "none"},
    "care": {"care": True, "probabilistic": True},
}


@pytest.fixture(scope="session")
def exportable():
    """A model of some kind with weights that do something, and an image of odd sides for it."""
    made = {}

    def make(case):
        if case in made:
            return made[case]
        settings = dict(CASES[case])
        n_dim, channels = settings.pop("n_dim", 2), settings.pop("channels", 1)
        rng = np.random.default_rng(0)
        sides = (9, 21, 18)[-n_dim:] if n_dim == 3 else (37, 51)
        image = rng.normal(100, 20, (*sides, channels)).astype(np.float32)
        small = {"unet_n_first": 4, "unet_kern_size": 3, "train_seed": 1}
        if settings.pop("care", False):
            config = CAREConfig(image[None], image[None], **small, **settings)
            model = CARE(config, "model", basedir=None)
        else:
            patch = (8, 16, 16)[-n_dim:]
            config = N2VConfig(image[None], n2v_patch_shape=patch, **small, **settings)
            model = N2V(config, "model", basedir=None)
        for layer in model.keras_model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                gamma, beta, mean, variance = layer.get_weights()
                layer.set_weights(
                    [gamma * rng.uniform(0.5, 2, gamma.shape), rng.normal(0, 0.2, beta.shape),
                     rng.normal(0, 0.2, mean.shape), rng.uniform(0.5, 2, variance.shape)]
                )  # fmt: skip
        model.loaded = True
        made[case] = model, image, model.config.axes
        return made[case]

    return make
