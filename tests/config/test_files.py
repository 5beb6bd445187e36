import os

import pytest

from n2v_tk.config import files


def test_a_file_that_others_read_is_replaced_when_they_are_done(tmp_path, monkeypatch):
    """As on Windows."""
    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    refusals = [PermissionError, PermissionError]
    replace = os.replace

    def in_use(source, target):
        if refusals:
            raise refusals.pop()
        replace(source, target)

    monkeypatch.setattr(files, "_OPEN_FILES_STAY", True)
    monkeypatch.setattr(files.os, "replace", in_use)
    files.replace(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "new"
    monkeypatch.setattr(files, "_OPEN_FILES_STAY", False)
    refusals.append(PermissionError)
    with pytest.raises(PermissionError):
        files.replace(tmp_path / "old", tmp_path / "new")


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "config.json"
    files.write_config(path, {"a": 1})
    with pytest.raises(TypeError):
        files.write_config(path, {"a": object()})
    assert files.read_config(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]
