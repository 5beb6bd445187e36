"""A small model to spoil."""

import pytest

from n2v_tk import N2V, N2VConfig


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A model folder and a .keras file of it."""
    folder = tmp_path_factory.mktemp("models")
    settings = N2VConfig(
        unet_n_depth=1, unet_n_first=1, unet_kern_size=3, batch_norm=False, means=[0], stds=[1]
    )
    model = N2V(settings, basedir=None)
    model.save(folder / "model.keras")
    model.save(folder / "model")
    return folder
