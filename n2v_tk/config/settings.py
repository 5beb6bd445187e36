"""Checked settings and their file, config.json."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, ClassVar

import pydantic

from .. import __version__, html
from ..errors import ConfigError, ModelFolderError
from .checks import explain, plain, refuse_unknown
from .files import method_of, read_config, write_config


class Settings(pydantic.BaseModel):
    """Settings of a method, checked when made and when assigned.

    Subclasses name their `method`, which config.json tells.
    """

    model_config = pydantic.ConfigDict(
        extra="forbid", arbitrary_types_allowed=False, allow_inf_nan=False
    )

    _unknown: dict[str, Any] = pydantic.PrivateAttr(default_factory=dict)

    _made_with: str = pydantic.PrivateAttr("")

    method: ClassVar[str] = ""
    # the package whose model folders have these settings, and keys of it that mean nothing here
    predecessor: ClassVar[str] = ""
    obsolete_in_old_files: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **settings):
        settings = {name: plain(value) for name, value in settings.items()}
        self._refuse_unknown(settings)
        try:
            super().__init__(**settings)
        except pydantic.ValidationError as error:
            raise ConfigError(explain(error)) from None
        self.check_size()

    def check_size(self) -> None:
        """Refuse a network or a step of training that no memory holds; nothing is made for it.

        Raises
        ------
        ConfigError
        """

    def __setattr__(self, name, value):
        if not name.startswith("_"):
            self._refuse_unknown({name: value})
            value = getattr(type(self)(**{**dict(self), name: value}), name)
        super().__setattr__(name, value)

    @classmethod
    def _refuse_unknown(cls, settings):
        refuse_unknown(settings, cls.model_fields, "See the class for all settings.")

    def __eq__(self, other) -> bool:
        """Whether all settings are equal, wherever they come from."""
        return type(self) is type(other) and dict(self) == dict(other)

    def _repr_html_(self) -> str:
        """What a notebook shows: the settings that differ from their defaults, then all."""
        changed, rest = {}, {}
        for name, value in self:
            field = type(self).model_fields[name]
            default = field.get_default(call_default_factory=True)
            (rest if value == default else changed)[name] = value
        return (
            f"<b>{type(self).__name__}</b>"
            + html.table(changed or {"all settings": "at their defaults"})
            + html.details(f"{len(rest)} settings at their defaults", html.table(rest))
        )

    def update_parameters(self, allow_new: bool = False, **settings) -> None:
        """Set several settings at once, checked together; on an error none is set.

        `allow_new` is accepted for n2v's sake; unknown settings are errors in any case.
        """
        settings = {name: plain(value) for name, value in settings.items()}
        checked = type(self)(**{**dict(self), **settings})
        for name in settings:
            super().__setattr__(name, getattr(checked, name))

    def save(self, path: str | os.PathLike) -> None:
        """Write config.json, under a temporary name first."""
        write_config(path, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """What config.json holds: the settings, the method, the version, and unknown settings."""
        return {
            **self._unknown,
            **self.model_dump(mode="json"),
            "n2v_tk_method": self.method,
            "n2v_tk_version": __version__,
        }

    @classmethod
    def load(cls, path: str | os.PathLike, **changes):
        """Read config.json, of n2v_tk or of the package that it follows.

        Settings that an old file lacks get the values that models without them were made with.
        Unknown ones are kept, written back by `save`, and named in one warning.

        Parameters
        ----------
        path : path
        **changes
            Settings to have in place of the file's.

        Raises
        ------
        ModelFolderError
            If the file is missing, not JSON, or of another method.
        ConfigError
            If a setting is invalid.
        """
        path = Path(path)
        return cls.from_json(read_config(path), path, **changes)

    @classmethod
    def from_json(cls, data: dict[str, Any], source: str | os.PathLike, **changes):
        """As `load`, from what a config.json holds; `source` names it in messages."""
        data = dict(data)
        if (method := method_of(data)) != cls.method:
            raise ModelFolderError(
                f"The model is not of this method. Received: a {method!r} model for "
                f"{cls.__name__}: {source}. n2v_tk.load_model opens models of every method."
            )
        data.pop("n2v_tk_method", None)
        version = data.pop("n2v_tk_version", None)
        if version is None:
            data = cls._from_predecessor(data, source)
        unknown = {k: data.pop(k) for k in list(data) if k not in cls.model_fields}
        config = cls(**{**data, **changes})
        config._unknown = unknown
        config._made_with = cls.predecessor if version is None else f"n2v_tk {version}"
        ignored = sorted(set(unknown) - set(cls.obsolete_in_old_files))
        if ignored:
            warnings.warn(
                f"{source} holds settings that this version does not know; they are kept but "
                f"have no effect: {', '.join(ignored)}.",
                stacklevel=2,
            )
        return config

    @classmethod
    def _from_predecessor(cls, data: dict[str, Any], source: str | os.PathLike) -> dict[str, Any]:
        """Settings of an old package's config.json, at `source`, in the meaning they have here."""
        return data

    def strange_to_predecessor(self) -> list[str]:
        """What of these settings the predecessor cannot predict with, although it reads them."""
        return []

    @property
    def made_with(self) -> str:
        """What wrote the config.json that these settings come from, '' for new ones."""
        return self._made_with
