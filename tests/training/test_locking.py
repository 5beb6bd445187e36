import errno
import json
import subprocess
import sys
import time

import pytest

from n2v_tk import N2V, N2VConfig
from n2v_tk.errors import FolderInUseError
from n2v_tk.training.locking import OWNER, in_use

HOLD = """
import sys, time
from n2v_tk.training.locking import in_use
with in_use(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_owner_is_named_and_the_folder_is_free_again(tmp_path):
    folder = tmp_path / "model"
    with in_use(folder):
        owner = json.loads((folder / OWNER).read_text())
        owner["since"] -= 600
        (folder / OWNER).write_text(json.dumps(owner))
        message = f"process {owner['process']} of .* on .* for 10 minutes"
        with pytest.raises(FolderInUseError, match=message), in_use(folder):
            pass
    with in_use(folder):
        pass
    assert not (folder / OWNER).exists()


def test_a_lock_ends_with_its_process(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(FolderInUseError, match=f"process {process.pid} "), in_use(tmp_path):
            pass
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    # the killed one left its name, and nothing else
    assert (tmp_path / OWNER).exists()
    with in_use(tmp_path):
        assert json.loads((tmp_path / OWNER).read_text())["process"] != process.pid


def test_an_owner_that_did_not_say_who_it_is(tmp_path):
    with in_use(tmp_path):
        (tmp_path / OWNER).write_text("{")
        with pytest.raises(FolderInUseError, match="did not say who"), in_use(tmp_path):
            pass


def test_what_killed_trainings_left_half_written_is_removed(tmp_path):
    left = [".weights_last.h5.123.tmp", ".training_state.npz.9.tmp", ".state.77.tmp.npz"]
    others = [".mine.tmp", "weights_last.h5.123.tmp", "notes.npz"]
    for name in left + others:
        (tmp_path / name).write_bytes(b"x")
    with in_use(tmp_path):
        pass
    there = {p.name for p in tmp_path.iterdir()}
    assert there == {*others, ".training.lock"}


def test_an_error_within_frees_the_folder(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyError), in_use(tmp_path):
            raise KeyError(time.time())


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    from n2v_tk.training import locking

    class Lock(locking.FileLock):
        def acquire(self, *arguments, **options):
            raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locking, "FileLock", Lock)
    with pytest.warns(UserWarning, match="knows no locks"), in_use(tmp_path):
        pass


def test_a_model_is_not_saved_over_one_in_training(tmp_path):
    config = N2VConfig(unet_n_first=4, unet_kern_size=3)
    model = N2V(config, basedir=None)
    model.save(tmp_path / "model")
    with in_use(tmp_path / "model"), pytest.raises(FolderInUseError, match="in use by"):
        model.save(tmp_path / "model")
    model.save(tmp_path / "model")
