"""Settings by name: `--set NAME=VALUE`."""

import json
import subprocess
import sys

import numpy as np
import pytest

from n2v_tk.cli.settings import configs_of, settings_of, value_of
from n2v_tk.cli.training import training_options
from n2v_tk.config import HQSSLConfig, N2VConfig
from n2v_tk.errors import ConfigError
from n2v_tk.io import Image, write_image

QUICK = ["--epochs", "1", "--steps", "1", "--seed", "0", "--device", "cpu"]
SMALL = {"unet_n_depth": 1, "unet_n_first": 4, "train_batch_size": 2}


@pytest.fixture
def noisy(rng, tmp_path):
    path = tmp_path / "noisy.tif"
    write_image(path, Image(rng.normal(1000, 100, (72, 80)).astype(np.float32), "YX"))
    return path


def by_name(**settings):
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64", 64),
        ("0.198", 0.198),
        ("1e-4", 1e-4),
        ("true", True),
        ("False", False),
        ("null", None),
        ("None", None),
        ("[64]", [64]),
        ("[[1, 1, 0, 1, 1]]", [[1, 1, 0, 1, 1]]),
        ('{"factor": 0.25}', {"factor": 0.25}),
        ('"0.5"', "0.5"),
        ("64,64", [64, 64]),
        ("0.9, .999", [0.9, ".999"]),
        ("null,null,1", [None, None, 1]),
        ("nearest,linear", ["nearest", "linear"]),
        ("median", "median"),
        ("weights best.h5", "weights best.h5"),
        ("a=b", "a=b"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_values(text, value):
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


def test_the_first_equals_sign_ends_the_name():
    settings = settings_of({}, [" train_checkpoint = a=b.h5 "], [N2VConfig])
    assert settings == {"train_checkpoint": "a=b.h5"}


def test_options_that_are_not_given_are_no_settings():
    options = {"train_epochs": ("--epochs", None), "train_seed": ("--seed", 0)}
    assert settings_of(options, ["train_epochs=5"], [N2VConfig]) == {
        "train_epochs": 5,
        "train_seed": 0,
    }
    # of which null is one
    assert settings_of({}, ["train_checkpoint=null"], [N2VConfig]) == {"train_checkpoint": None}


def test_settings_are_those_of_the_method():
    assert configs_of("structn2v") == [N2VConfig]
    assert configs_of("hqssl") == [HQSSLConfig]
    assert set(configs_of(None)) > {N2VConfig, HQSSLConfig}


def test_what_goes_on_in_a_folder_may_be_of_any_method():
    options = ("n2v", *[None] * 7)
    named = {"named": ["net_width=8"]}
    assert training_options(*options, **named, resume=True)["settings"] == {"net_width": 8}
    with pytest.raises(ConfigError, match="'net_width'"):
        training_options(*options, **named)


def test_settings_stand_in_the_config(run, noisy, tmp_path):
    named = {
        **SMALL,
        "n2v_perc_pix": 0.198,
        "train_augment": "false",
        "n2v_patch_shape": "32,16",
        "n2v_manipulator": "median",
        "train_checkpoint": "null",
        "train_reduce_lr": '{"factor": 0.25}',
        "structN2Vmask": "[[1, 0, 1]]",
    }
    code, text = run("train", noisy, "-o", tmp_path / "m", *by_name(**named), *QUICK)
    assert code == 0, text
    written = json.loads((tmp_path / "m" / "config.json").read_text())
    expected = SMALL | {
        "n2v_perc_pix": 0.198,
        "train_augment": False,
        "n2v_patch_shape": [32, 16],
        "n2v_manipulator": "median",
        "train_checkpoint": None,
        "train_reduce_lr": {"factor": 0.25},
        "structN2Vmask": [[1, 0, 1]],
        # options beside them count
        "train_epochs": 1,
        "train_seed": 0,
    }
    assert {name: written[name] for name in expected} == expected


def test_denoise_with_settings(run, noisy, tmp_path):
    command = ["denoise", noisy, "-o", tmp_path / "out.tif", "--save-model", tmp_path / "m"]
    named = {**SMALL, "train_patch_shape": "16,16", "r2r_alpha": 0.5}
    more = ["--method", "r2r", "--noise-level", "100", *QUICK]
    code, text = run(*command, *by_name(**named), *more)
    assert code == 0, text
    written = json.loads((tmp_path / "m" / "config.json").read_text())
    assert written["n2v_tk_method"] == "r2r"
    assert {name: written[name] for name in SMALL} == SMALL
    assert (written["train_patch_shape"], written["r2r_alpha"]) == ([16, 16], 0.5)
    assert (tmp_path / "out.tif").exists()


def test_a_mask_in_place_of_a_line(run, noisy, tmp_path):
    mask = "structN2Vmask=[[1,1,1],[1,0,1],[1,1,1]]"
    command = ["train", noisy, "-o", tmp_path / "m", "--method", "structn2v", "--set", mask, *QUICK]
    code, text = run(*command, "--struct-length", "5")
    assert code == 1
    assert "Received: --struct-length and --set structN2Vmask" in text
    assert not (tmp_path / "m").exists()
    code, text = run(*command, *by_name(**SMALL))
    assert code == 0, text
    written = json.loads((tmp_path / "m" / "config.json").read_text())
    assert written["structN2Vmask"] == [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    # what structN2V takes beside it
    assert written["n2v_perc_pix"] == 1.0


@pytest.mark.parametrize("command", ["train", "denoise"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "train_batch_size"], ["NAME=VALUE, e.g. --set", "Received: 'train_batch_size'"]),
        (["--set", "=64"], ["NAME=VALUE", "'=64'"]),
        (["--set", "train_batchsize=64"], ["'train_batchsize'. Did you mean 'train_batch_size'?"]),
        (["--set", "X=5"], ["Unknown setting. Received: 'X'"]),
        (["--set", "images=5"], ["Unknown setting. Received: 'images'"]),
        (["--set", "zzz=5"], ["'zzz'", "docs/reference/configs.md"]),
        (["--method", "hqssl", "--set", "unet_n_depth=3"], ["Unknown", "'unet_n_depth'"]),
        (["--epochs", "5", "--set", "train_epochs=6"],
         ["train_epochs must be given once", "--epochs and --set train_epochs=6"]),
        (["--patch", "32,32", "--set", "n2v_patch_shape=64,64"],
         ["Received: --patch and --set n2v_patch_shape=64,64"]),
        (["--method", "r2r", "--patch", "32,32", "--set", "train_patch_shape=64,64"],
         ["Received: --patch and --set train_patch_shape"]),
        (["--method", "hqssl", "--noise-level", "3", "--set", "noise_level=4"],
         ["Received: --noise-level and --set noise_level=4"]),
        (["--set", "unet_n_first=4", "--set", "unet_n_first=8"],
         ["Received: --set unet_n_first=4 and --set unet_n_first=8"]),
        (["--set", "n_dim=3"], ["Received: --set n_dim=3", "use --dim"]),
        (["--set", "n_channel_in=3"], ["Received: --set n_channel_in=3", "leave it out"]),
        (["--set", "length=5"], ["Received: --set length=5", "--struct-length"]),
    ],
)  # fmt: skip
def test_what_is_refused_before_anything_is_read(run, tmp_path, command, arguments, words):
    """There is no such image, which would be told later."""
    code, text = run(command, tmp_path / "none.tif", "-o", tmp_path / "out", *arguments)
    assert code == 1
    for word in words:
        assert word in text
    assert "none.tif" not in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train_batch_size=many"], ["train_batch_size: ", "valid integer", "'many'"]),
        (["train_batch_size=0"], ["train_batch_size: ", "Received: 0"]),
        (["train_augment=perhaps"], ["train_augment: ", "'perhaps'"]),
        (["n2v_patch_shape=64"], ["n2v_patch_shape: ", "Received: 64"]),
        (["unet_n_depth=3", "n2v_patch_shape=60,64"], ["divisible by 8", "(60, 64)"]),
        (["unet_n_depth=three"], ["unet_n_depth: ", "'three'"]),
        (["n2v_patch_shape=96,96"], ["(72, 80)"]),
        (["means=1,2", "stds=1,2"], ["one number per channel (1)"]),
        (["n2v_perc_pix=NaN"], ["n2v_perc_pix: ", "nan"]),
    ],
)
def test_values_are_checked_before_work(run, noisy, tmp_path, monkeypatch, arguments, words):
    def no_work(*arguments, **options):
        raise AssertionError("work was done")

    monkeypatch.setattr("n2v_tk.cli.commands.train_model", no_work)
    named = [word for pair in arguments for word in ("--set", pair)]
    for command in ("train", "denoise"):
        code, text = run(command, noisy, "-o", tmp_path / "out", "--device", "cpu", *named)
        assert code == 1
        assert text.startswith("Error:")
        for word in words:
            assert word in text
        assert [path.name for path in tmp_path.iterdir()] == ["noisy.tif"]


def test_demo_with_settings(run, tmp_path, monkeypatch):
    class Enough(Exception):
        pass

    def seen(console, model, images, rescue):
        raise Enough(model.config, np.asarray(images[0].data))

    monkeypatch.setattr("n2v_tk.cli.demo.train_model", seen)
    made = []
    monkeypatch.setattr("n2v_tk.cli.app.report_error", lambda c, error, debug: made.append(error))
    named = by_name(train_epochs=3, train_seed=4, unet_n_first=4)
    for arguments in (named, [], ["--seed", "4"]):
        run("demo", "-o", tmp_path / "demo", "--device", "cpu", *arguments)
    (ours, a), (default, b), (seeded, c) = (error.args for error in made)
    assert (ours.train_epochs, ours.train_seed, ours.unet_n_first) == (3, 4, 4)
    assert (default.train_epochs, default.train_seed, seeded.train_seed) == (12, 0, 4)
    assert (a == b).all()
    assert (a != c).any()
    assert not (tmp_path / "demo").exists()


COMPLETED = [
    ("train --set n2v_perc", {"n2v_perc_pix="}, set()),
    ("train --set n", {"normalization=", "n2v_patch_shape="}, {"n_dim=", "noise_level="}),
    ("denoise --method hqssl --set n", {"noise_level=", "net_width="}, {"n2v_perc_pix="}),
    ("demo --set unet_n", {"unet_n_depth=", "unet_n_first="}, {"unet_kern_size="}),
    ("dip --set ", {"learning_rate=", "pooling="}, {"task="}),
]
SHELL = """
import os, sys
from n2v_tk.cli import main
os.environ["_N2V_TK_COMPLETE"] = "complete_bash"
for words in sys.argv[1:]:
    os.environ |= {"COMP_WORDS": f"n2v-tk {words}", "COMP_CWORD": str(words.count(" ") + 1)}
    sys.argv = ["n2v-tk"]
    print("::")
    try:
        main()
    except SystemExit:
        pass
print(":: heavy", [m for m in ("tensorflow", "keras", "jax", "torch") if m in sys.modules])
"""


def test_shells_complete_names():
    lines = [words for words, _, _ in COMPLETED]
    done = subprocess.run(
        [sys.executable, "-c", SHELL, *lines], capture_output=True, text=True, check=True
    )
    *parts, heavy = done.stdout.split("::")[1:]
    for part, (words, found, missing) in zip(parts, COMPLETED, strict=True):
        names = set(part.split())
        assert found <= names, words
        assert not missing & names, words
    assert heavy.strip() == "heavy []"
