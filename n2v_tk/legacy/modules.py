"""The modules of n2v, as far as people import from them."""

from __future__ import annotations

import importlib.util
import sys
from importlib import import_module
from types import ModuleType

from ..errors import LegacyImportError

_VERSION = "0.3.3"

_MANIPULATORS = (
    "pm_identity", "pm_mean", "pm_median", "pm_normal_additive", "pm_normal_fitted",
    "pm_normal_withoutCP", "pm_uniform_withCP", "pm_uniform_withoutCP",
)  # fmt: skip

# module of n2v: {name there: (our module, name here)}
_MODULES = {
    "n2v": {},
    "n2v.models": {
        "N2V": ("n2v_tk.models.n2v", "N2V"),
        "N2VConfig": ("n2v_tk.config.n2v", "N2VConfig"),
    },
    "n2v.models.n2v_standard": {"N2V": ("n2v_tk.models.n2v", "N2V")},
    "n2v.models.n2v_config": {"N2VConfig": ("n2v_tk.config.n2v", "N2VConfig")},
    "n2v.internals": {},
    "n2v.internals.N2V_DataGenerator": {
        "N2V_DataGenerator": ("n2v_tk.legacy.data_generator", "N2V_DataGenerator"),
        "imread": ("n2v_tk.legacy.data_generator", "imread"),
    },
    "n2v.internals.N2V_DataWrapper": {
        "N2V_DataWrapper": ("n2v_tk.legacy.blind_spots", "N2V_DataWrapper"),
    },
    "n2v.internals.n2v_losses": {
        "loss_mse": ("n2v_tk.legacy.functions", "loss_mse"),
        "loss_mae": ("n2v_tk.legacy.functions", "loss_mae"),
    },
    "n2v.utils": {},
    "n2v.utils.n2v_utils": {
        **{
            name: ("n2v_tk.legacy.blind_spots", name)
            for name in (*_MANIPULATORS, "manipulate_val_data")
        },
        **{
            name: ("n2v_tk.legacy.functions", name)
            for name in ("autocorrelation", "get_subpatch", "tta_backward", "tta_forward")
        },
    },
    "n2v.utils.evaluation_utils": {
        "PSNR": ("n2v_tk.legacy.functions", "PSNR"),
        "best_PSNR": ("n2v_tk.legacy.functions", "best_PSNR"),
    },
    "n2v.nets": {},
    "n2v.nets.unet": {
        "build_unet": ("n2v_tk.nets.unet", "build_unet"),
        "build_single_unet_per_channel": ("n2v_tk.nets.unet", "build_single_unet_per_channel"),
    },
    "n2v.nets.blurpool": {"MaxBlurPool2D": ("n2v_tk.legacy.functions", "MaxBlurPool2D")},
}


def install() -> None:
    """Register the modules of n2v, its metrics, and our models as csbdeep's."""
    _refuse_genuine()
    for name, members in _MODULES.items():
        module = sys.modules[name] = _module(name, members)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)
    _report_what_n2v_reports()
    _register_with_csbdeep()


def _module(name, members):
    module = ModuleType(name, f"Names of {name} {_VERSION}, which are n2v_tk's objects.")
    # no folder to look for further modules in
    module.__path__ = []
    module.__version__ = _VERSION
    module.__n2v_tk__ = True
    module.__all__ = list(members)

    def get(attribute):
        if attribute not in members:
            raise AttributeError(
                f"n2v_tk has no {attribute!r} for {name}; docs/migrating.md lists what there is."
            )
        source, ours = members[attribute]
        return getattr(import_module(source), ours)

    module.__getattr__ = get
    return module


def _refuse_genuine():
    loaded = sys.modules.get("n2v")
    if loaded is not None:
        where = None if hasattr(loaded, "__n2v_tk__") else getattr(loaded, "__file__", "?")
    else:
        spec = importlib.util.find_spec("n2v")
        # a mere folder of that name, e.g. of models, has no file to be imported
        where = None if spec is None else spec.origin
    if where is not None:
        raise LegacyImportError(
            "The genuine n2v is installed, so its names are not taken over. Received: n2v in "
            f"{where}. Remove it (pip uninstall n2v), or import from n2v_tk instead."
        )


def _report_what_n2v_reports():
    """Metrics on blind spots in the history of every training."""
    from ..models.n2v import N2V

    N2V.default_metrics = ("mse", "mae")


def _register_with_csbdeep():
    import keras

    # csbdeep.models is for TensorFlow alone
    if keras.backend.backend() != "tensorflow":
        return
    from csbdeep.models import CARE

    for source, name in (("n2v_tk.models.n2v", "N2V"), ("n2v_tk.models.care", "CARE")):
        CARE.register(getattr(import_module(source), name))
