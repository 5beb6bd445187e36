"""One .keras file, which Keras opens without n2v_tk."""

from __future__ import annotations

from pathlib import Path

from .writing import check_target


def export_keras(model, path: Path, overwrite: bool = False) -> Path:
    """Write the network as a .keras file of stock layers, with our settings beside it.

    It takes and gives normalised images with sides that the network divides; opened with
    `n2v_tk.load_model` it is the whole model.
    """
    check_target(path, ".keras", overwrite)
    model.save(path)
    return path
