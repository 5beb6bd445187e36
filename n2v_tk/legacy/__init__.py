"""Lets code that was written for n2v and csbdeep run on n2v_tk, unchanged.

``import n2v_tk.legacy`` makes ``from n2v.models import N2V, N2VConfig`` and the other imports of
n2v 0.3.3 give n2v_tk's objects, lets trainings of `N2V` report n2v's metrics, and makes
``isinstance(model, csbdeep.models.CARE)`` hold for n2v_tk's models.
``python -m n2v_tk.legacy SCRIPT.py ARGS`` does so for a script that cannot be changed.
docs/migrating.md says what differs.

Raises
------
LegacyImportError
    If the genuine n2v is installed: nothing is changed then.
"""

from ..config.care import CAREConfig
from ..config.n2v import N2VConfig
from ..errors import LegacyImportError
from ..models.care import CARE
from ..models.n2v import N2V
from .modules import install

__all__ = ["CARE", "N2V", "CAREConfig", "Config", "LegacyImportError", "N2VConfig"]


def Config(
    axes: str = "YX",
    n_channel_in: int = 1,
    n_channel_out: int = 1,
    probabilistic: bool = False,
    allow_new_parameters: bool = False,
    **settings,
) -> CAREConfig:
    """Settings of a CARE model with the arguments of `csbdeep.models.Config`.

    Parameters
    ----------
    axes : str
        Axes of the network, 'YX' or 'ZYX'; a channel axis may be named.
    n_channel_in, n_channel_out : int
        Channels of image and result.
    probabilistic : bool
        Predict mean and scale of a Laplace distribution.
    allow_new_parameters : bool
        Accepted and without effect: unknown settings are errors in any case.
    **settings
        Those of `CAREConfig`.

    Raises
    ------
    ConfigError
        For unknown settings and invalid values.
    """
    return CAREConfig(
        axes=axes,
        n_channel_in=n_channel_in,
        n_channel_out=n_channel_out,
        probabilistic=probabilistic,
        **settings,
    )


install()
