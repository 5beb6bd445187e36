"""Every error that n2v_tk raises on purpose.

Each message says what is wrong, which value was received, and what to do. All are `ValueError`
or a matching built-in as well, so code that caught those keeps working.
"""

from __future__ import annotations


class N2VTKError(Exception):
    """Base of all errors of n2v_tk."""


class AxesError(N2VTKError, ValueError):
    """Axes that are missing, ambiguous, or do not fit the image or the model."""


class ConfigError(N2VTKError, ValueError):
    """A setting that is unknown, out of range, or does not fit the others."""


class ImageError(N2VTKError, ValueError):
    """An image that cannot be worked with: content, dtype, size or channels."""


class ImageFileError(N2VTKError, OSError):
    """A file that is missing, damaged, of the wrong kind, or cannot be written."""


class ExtraMissingError(N2VTKError, ImportError):
    """An optional package that is needed and not installed."""


class OutputExistsError(ImageFileError, FileExistsError):
    """An output that is there already and may not be overwritten."""


class NetworkError(N2VTKError, ValueError):
    """A layer or a network that cannot be made, drawn or cut into tiles as asked for."""


class ModelFolderError(N2VTKError, OSError):
    """A model folder that is missing, incomplete or cannot be written."""


class FolderInUseError(ModelFolderError):
    """A model folder in which another training is at work."""


class TrainingError(N2VTKError, RuntimeError):
    """Training that cannot start or go on."""


class ExportError(N2VTKError, RuntimeError):
    """A model that cannot be exported: unknown format, missing package, unfit model or place."""


class ServingError(N2VTKError, ConnectionError):
    """A server that is away, lacks the model, or failed to answer."""


class SchedulerError(N2VTKError, ConnectionError):
    """A dask scheduler that does not answer, or workers that cannot do the work."""


class DeviceError(N2VTKError, RuntimeError):
    """A device that was asked for and is not there."""


class LegacyImportError(N2VTKError, ImportError):
    """The genuine n2v is installed, and its names are not taken over."""


class CompatibilityWarning(UserWarning):
    """A model that another program, which reads the same files, cannot work with."""
