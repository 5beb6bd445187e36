"""What `import n2v_tk.legacy` makes importable."""

import inspect
import os
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import n2v_tk

NAMES = {
    "n2v.models": ["N2V", "N2VConfig"],
    "n2v.internals.N2V_DataGenerator": ["N2V_DataGenerator"],
    "n2v.internals.N2V_DataWrapper": ["N2V_DataWrapper"],
    "n2v.internals.n2v_losses": ["loss_mse", "loss_mae"],
    "n2v.utils.n2v_utils": [
        "pm_normal_withoutCP", "pm_uniform_withCP", "pm_uniform_withoutCP", "pm_mean",
        "pm_median", "pm_normal_additive", "pm_normal_fitted", "pm_identity",
        "manipulate_val_data", "get_subpatch", "tta_forward", "tta_backward", "autocorrelation",
    ],
    "n2v.utils.evaluation_utils": ["PSNR", "best_PSNR"],
    "n2v.nets.unet": ["build_unet", "build_single_unet_per_channel"],
    "n2v.nets.blurpool": ["MaxBlurPool2D"],
}  # fmt: skip

PARAMETERS = {
    "n2v.models.N2V": ["config", "name", "basedir"],
    "n2v.models.N2V.train": ["X", "validation_X", "epochs", "steps_per_epoch"],
    "n2v.models.N2V.prepare_for_training": ["optimizer"],
    "n2v.models.N2V.predict": ["img", "axes", "resizer", "n_tiles", "tta"],
    "n2v.models.N2V.predict_bioimageio": ["img", "axes", "eps"],
    "n2v.models.N2V.load_weights": ["name"],
    "n2v.models.N2V.export_TF": [
        "name", "description", "authors", "test_img", "axes", "patch_shape", "license",
        "result_path",
    ],
    "n2v.models.N2VConfig": ["X"],
    "n2v.internals.N2V_DataGenerator.N2V_DataGenerator.load_imgs": [
        "files", "dims", "image_reader",
    ],
    "n2v.internals.N2V_DataGenerator.N2V_DataGenerator.load_imgs_from_directory": [
        "directory", "filter", "dims",
    ],
    "n2v.internals.N2V_DataGenerator.N2V_DataGenerator.generate_patches": [
        "data", "num_patches", "shape", "augment",
    ],
    "n2v.internals.N2V_DataGenerator.N2V_DataGenerator.generate_patches_from_list": [
        "data", "num_patches_per_img", "shape", "augment", "shuffle",
    ],
    "n2v.internals.N2V_DataWrapper.N2V_DataWrapper": [
        "X", "Y", "batch_size", "length", "perc_pix", "shape", "value_manipulation",
        "structN2Vmask",
    ],
    "n2v.utils.n2v_utils.manipulate_val_data": [
        "X_val", "Y_val", "perc_pix", "shape", "value_manipulation",
    ],
    "n2v.utils.n2v_utils.get_subpatch": [
        "patch", "coord", "local_sub_patch_radius", "crop_patch",
    ],
    "n2v.utils.evaluation_utils.PSNR": ["gt", "img", "range"],
    "n2v.utils.evaluation_utils.best_PSNR": ["gt", "img", "range"],
    **{
        f"n2v.nets.unet.{name}": [
            "input_shape", "last_activation", "n_depth", "n_filter_base", "kernel_size",
            "n_conv_per_depth", "activation", "batch_norm", "dropout", "pool_size", "residual",
            "prob_out", "eps_scale", "blurpool", "skip_skipone",
        ]
        for name in ("build_unet", "build_single_unet_per_channel")
    },
}  # fmt: skip

DEFAULTS = {
    "n2v.models.N2V": {"name": None, "basedir": "."},
    "n2v.models.N2V.load_weights": {"name": "weights_best.h5"},
    "n2v.models.N2V.predict": {"n_tiles": None, "tta": False},
    "n2v.models.N2V.predict_bioimageio": {"eps": 1e-6},
    "n2v.internals.N2V_DataGenerator.N2V_DataGenerator.load_imgs_from_directory": {
        "filter": "*.tif",
        "dims": "YX",
    },
    "n2v.internals.N2V_DataGenerator.N2V_DataGenerator.generate_patches": {
        "num_patches": None,
        "shape": (256, 256),
        "augment": True,
    },
    "n2v.internals.N2V_DataGenerator.N2V_DataGenerator.generate_patches_from_list": {
        "shape": (256, 256),
        "shuffle": False,
    },
    "n2v.internals.N2V_DataWrapper.N2V_DataWrapper": {"perc_pix": 0.198, "shape": (64, 64)},
    "n2v.utils.n2v_utils.manipulate_val_data": {"perc_pix": 0.198, "shape": (64, 64)},
    "n2v.nets.unet.build_unet": {"n_depth": 2, "n_filter_base": 16, "eps_scale": 1e-3},
}


def resolve(path):
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        if ".".join(parts[:cut]) in sys.modules:
            found = sys.modules[".".join(parts[:cut])]
            for attribute in parts[cut:]:
                found = getattr(found, attribute)
            return found
    raise AssertionError(path)


@pytest.mark.parametrize("module", NAMES)
def test_names_resolve(legacy, module):
    imported = import_module(module)
    for name in NAMES[module]:
        assert callable(getattr(imported, name))
    with pytest.raises(AttributeError, match=r"docs/migrating\.md"):
        imported.no_such_name  # noqa: B018


@pytest.mark.parametrize("path", PARAMETERS)
def test_parameters(legacy, path):
    parameters = inspect.signature(resolve(path)).parameters
    names = [name for name in parameters if name != "self"]
    assert names[: len(PARAMETERS[path])] == PARAMETERS[path]
    for name, default in DEFAULTS.get(path, {}).items():
        assert parameters[name].default == default


def test_they_are_our_objects(legacy):
    from n2v.models import N2V, N2VConfig

    assert N2V is n2v_tk.N2V
    assert N2VConfig is n2v_tk.N2VConfig
    import n2v

    assert n2v.__version__ == "0.3.3"
    assert n2v.models.N2V is N2V


def test_models_count_as_those_of_csbdeep(legacy):
    from csbdeep.models import CARE

    X = np.random.default_rng(0).normal(size=(1, 16, 16, 1))
    small = {"unet_n_first": 2, "unet_kern_size": 3}
    model = n2v_tk.N2V(n2v_tk.N2VConfig(X, n2v_patch_shape=(16, 16), **small), basedir=None)
    assert isinstance(model, CARE)
    assert isinstance(n2v_tk.CARE(n2v_tk.CAREConfig(X, X, **small), basedir=None), CARE)


def test_the_arguments_of_csbdeeps_config(legacy):
    config = legacy.Config("YX", 1, 2, probabilistic=True, unet_n_depth=3)
    assert (config.axes, config.n_channel_in, config.n_channel_out) == ("YXC", 1, 2)
    assert (config.train_loss, config.unet_n_depth, config.unet_residual) == ("laplace", 3, False)
    assert legacy.Config("ZYX").n_dim == 3


def run(code, *path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.slow
def test_a_genuine_n2v_is_left_alone(tmp_path):
    (tmp_path / "n2v").mkdir()
    (tmp_path / "n2v" / "__init__.py").write_text("genuine = True\n")
    done = run("import n2v_tk.legacy", tmp_path)
    assert "LegacyImportError: The genuine n2v is installed" in done.stderr
    assert "pip uninstall n2v" in done.stderr
    done = run("import n2v\ntry: import n2v_tk.legacy\nexcept ImportError: print(n2v.genuine)",
               tmp_path)  # fmt: skip
    assert done.stdout.strip() == "True"


@pytest.mark.slow
def test_a_folder_called_n2v_is_no_package(tmp_path):
    (tmp_path / "n2v").mkdir()
    done = run("import n2v_tk.legacy, n2v.models; print(n2v.models.N2V.__module__)", tmp_path)
    assert done.stdout.strip() == "n2v_tk.models.n2v", done.stderr
