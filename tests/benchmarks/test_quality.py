"""Benchmarks of quality on tiny images: what they keep, and what they go on with."""

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import tiny_model

from n2v_tk import N2V, DeepImagePrior, MaskedDenoiserConfig

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


def smooth(n=2, side=80):
    y, x = np.mgrid[:side, :side]
    waves = [np.sin(x / (7 + 4 * i)) * np.cos(y / 9) for i in range(n)]
    return [(128 + 60 * wave).astype(np.float32) for wave in waves]


def make_task(noise="sigma 25", **options):
    from benchmarks.quality import equal_time
    from benchmarks.quality.images import with_noise

    truth = smooth()
    train = np.stack(with_noise(smooth(4), 1, noise))[..., None]
    noisy = with_noise(truth, 0, noise)
    return equal_time.Task(noise, truth, noisy, train, lambda: train, validation=1, **options)


def options(folder=None, **changes):
    given = {
        "noise": "sigma 25", "methods": ["one"], "seeds": [0], "effort": "1 min", "minutes": 1,
        "json": None if folder is None else folder / "figures.json",
        "keep": None if folder is None else folder / "kept",
    }  # fmt: skip
    return Namespace(**given | changes)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


# figures ---------------------------------------------------------------------------------------


def refused(*_):
    raise AssertionError("measured again")


def test_figures_are_read_back(tmp_path):
    from benchmarks.quality.timed import Figures

    path = tmp_path / "figures.json"
    made = Figures(path).measure("one", lambda: {"psnr": 30.5, "each": [30, 31]})
    assert {"wall seconds", "machine", "versions", "date"} < made.keys()
    assert Figures(path).measure("one", refused) == made == read(path)["one"]
    # those that others wrote meanwhile stay
    early = Figures(path)
    Figures(path).measure("two", dict)
    early.measure("three", lambda: {"wall seconds": 7.5})
    assert list(read(path)) == ["one", "two", "three"]
    assert read(path)["three"]["wall seconds"] == 7.5
    assert Figures(path).measure("one", lambda: {"psnr": 29.0}, again=True)["psnr"] == 29.0
    assert read(path)["one"]["psnr"] == 29.0


def test_images_are_kept_by_seed_and_effort(tmp_path):
    from benchmarks.quality.equal_time import kept

    args = options(tmp_path)
    paths = {kept(args, "n2v", seed, "prior last") for seed in (0, 1)}
    args.effort = "steps / 10"
    paths.add(kept(args, "n2v", 0, "prior last"))
    assert len(paths) == 3
    assert {path.parent for path in paths} == {args.keep}


def test_what_is_kept_is_measured_once_and_again_where_it_is_missing(tmp_path, capsys):
    from benchmarks.quality import equal_time

    args, task, calls = options(tmp_path, seeds=[0, 1]), make_task(), []

    def method(task, args, name, seed):
        calls.append(seed)
        return {"steps": len(calls)}, {"last": task.noisy, "tta": task.truth}

    def run(**changes):
        calls.clear()
        equal_time.run(Namespace(**vars(args) | changes), lambda _: task, {}, method)
        return calls

    assert run() == [0, 1]
    figures = read(args.json)["sigma 25, one, 1 min, seed 1"]
    assert figures["tta psnr"] > figures["last psnr"] > 19
    with np.load(equal_time.kept(args, "one", 1, "tta")) as file:
        np.testing.assert_allclose(file["1"], task.truth[1], rtol=1e-3)
    assert run() == []
    equal_time.kept(args, "one", 1, "tta").unlink()
    assert run(keep=None) == []
    capsys.readouterr()
    assert run() == [1]
    assert "seed 1: measured again" in capsys.readouterr().out
    assert read(args.json)["sigma 25, one, 1 min, seed 1"]["steps"] == 1


# pictures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--pictures", "out"], "no --keep"),
        (["--pictures", "out", "--keep", "kept", "--methods", "r2r"], "Add n2v"),
    ],
)
def test_pictures_that_cannot_be_drawn_are_refused_first(
    given, message, monkeypatch, capsys, tmp_path
):
    from benchmarks.quality import equal_time, pictures

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pictures", *given])
    monkeypatch.setattr(equal_time, "run", refused)
    with pytest.raises(SystemExit):
        pictures.main()
    assert message in capsys.readouterr().err


def test_pictures_are_drawn_from_what_is_kept(monkeypatch, tmp_path):
    from benchmarks.quality import equal_time, pictures

    truth = smooth(3, 100)
    noisy = [image + np.float32(20) for image in truth]
    args = options(tmp_path, seeds=[1], methods=["r2r"], pictures=tmp_path / "pictures")
    args.keep.mkdir()
    images = {str(i): image for i, image in enumerate(noisy)}
    np.savez(equal_time.kept(args, "n2v", 1, "posterior last"), **images)
    monkeypatch.setattr(pictures, "make_task", lambda _: SimpleNamespace(truth=truth, noisy=noisy))
    pictures.check(args, None)
    pictures.draw(args)
    assert {path.name for path in args.pictures.iterdir()} == {"best.png", "worst.png"}


# methods ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noise", "expected"), [("sigma 50", ("gaussian", 50.0)), ("poisson 30", ("poisson", 8.5))]
)
def test_hqssl_is_told_the_noise_of_the_task(noise, expected, monkeypatch):
    from benchmarks.quality import equal_time, published

    task = make_task(noise)
    monkeypatch.setitem(published.HQSSL_RECIPE, "train_patch_shape", (32, 32))
    made = [published.hqssl(known)(task, task.train) for known in (True, False)]
    monkeypatch.setattr(equal_time, "trained", lambda task, args, c, config, *a, **k: config)
    made += [equal_time.hqssl(known)(task, None, 0) for known in (True, False)]
    for known, estimated in (made[:2], made[2:]):
        assert (known.noise_model, known.noise_level) == expected
        assert (estimated.noise_model, estimated.noise_level) == (expected[0], None)


@pytest.mark.parametrize(("compilation", "end"), [(30.0, 94.0), (75.0, 99.0), (130.0, 130.0)])
def test_deep_image_prior_keeps_its_time(compilation, end, monkeypatch):
    from benchmarks.quality import equal_time

    now = 0.0

    class Timed(DeepImagePrior):
        def fit(self, image, axes, on_look):
            nonlocal now
            now += compilation
            while not on_look(None):
                now += 8.0

    monkeypatch.setattr(equal_time, "DeepImagePrior", Timed)
    equal_time.fit_for(None, "YX", 100.0, clock=lambda: now, seed=0)
    assert now == end


@pytest.mark.parametrize("kind", ["2D", "hqssl"])
def test_results_by_kind(kind):
    from benchmarks.quality.timed import predicted

    model, noisy = tiny_model(kind), make_task().noisy
    for options in ({}, {"tta": True}):
        found = predicted(model, noisy, "YX", ("prior", "posterior"), **options)
        assert list(found) == ["prior", "posterior"]
        for name, images in found.items():
            for image, result in zip(noisy, images, strict=True):
                expected = model.predict(image, "YX", output=name, **options)
                np.testing.assert_allclose(result, expected, rtol=1e-5)
    if kind == "2D":
        (plain,) = predicted(model, noisy[:1], "YX", ("",))[""]
        np.testing.assert_array_equal(plain, model.predict(noisy[0], "YX"))


def test_real_noise_and_microscopes_have_results_by_name(monkeypatch):
    from benchmarks.quality import microscope, real

    model, (noisy, _) = tiny_model(), make_task().noisy
    for module in (real, microscope):
        monkeypatch.setattr(module, "train_for", lambda *a, **k: (model, {"steps": 3}))
    found, results = real.trained(N2V, model.config, noisy, 1, turned=True)
    assert found == {"steps": 3}
    assert set(results) == {"", "posterior", "tta"}
    np.testing.assert_array_equal(results[""], model.predict(noisy, "YX"))
    np.testing.assert_array_equal(results["tta"], model.predict(noisy, "YX", tta=True))
    assert set(real.trained(N2V, model.config, noisy, 1, ("prior",))[1]) == {""}
    _, results = microscope.trained(N2V, model.config, None, [noisy], 1)
    assert set(results) == {"prior", "posterior", "prior tta", "posterior tta"}
    np.testing.assert_array_equal(results["prior tta"][0], model.predict(noisy, "YX", tta=True))


def test_deep_image_prior_keeps_figures_and_draws_what_it_measures(tmp_path, monkeypatch):
    from benchmarks.quality import deep_image_prior

    def fit(folder, name, iterations):
        clean, noisy = smooth()
        result = SimpleNamespace(way={1: noisy}, seconds=0.5)
        return {"psnr": 20.0}, result, {"result": noisy, "clean": clean}

    monkeypatch.setattr(deep_image_prior, "RUNS", {"fit one": (fit, 2)})
    path, pictures = tmp_path / "figures.json", tmp_path / "pictures"
    given = ["dip", str(tmp_path), "--json", str(path), "--pictures", str(pictures)]
    monkeypatch.setattr(sys, "argv", given)
    deep_image_prior.main()
    (found,) = read(path).values()
    assert (found["psnr"], found["iterations"]) == (20.0, 2)
    assert {"seconds", "machine", "versions", "date"} < found.keys()
    (pictures / "fit_one.png").unlink()
    monkeypatch.setattr(deep_image_prior, "RUNS", {"fit one": (refused, 2)})
    deep_image_prior.main()
    assert not list(pictures.iterdir())


def test_masked_training_is_chosen_without_the_test_images(monkeypatch, tmp_path):
    from benchmarks.quality import masked_training

    asked, trained = [], []
    splits = {
        "train400": [np.full((16, 16), i, np.float32) for i in range(45)],
        "test68": [np.full((16, 16), 200, np.float32) for _ in range(3)],
    }

    def grey(folder, split):
        asked.append(split)
        return splits[split]

    class Untouched:
        """Results are what they are given, so that PSNR tells of which image they are."""

        def __init__(self, config, basedir):
            self.config, self.keras_model = config, self

        def train(self, X, epochs, steps_per_epoch, verbose):
            trained.append((len(X), X.max(), epochs * steps_per_epoch, self.config.train_seed))
            return SimpleNamespace(history={"loss": [0.5] * epochs})

        def predict(self, image, axes):
            return image

        def get_weights(self):
            return []

        def set_weights(self, weights):
            pass

    small = {"net_width": 4, "net_heads": 1, "net_depths": (1,), "train_patch_shape": (8, 8)}
    for name, value in {
        "grey": grey, "MaskedDenoiser": Untouched, "CROP": 16,
        "SETTINGS": {**masked_training.SETTINGS, **small},
        "NOISES": {"offset": [lambda x, rng: np.clip(x, 2, None) + 40]},
    }.items():  # fmt: skip
        monkeypatch.setattr(masked_training, name, value)
    path = tmp_path / "figures.json"
    given = ["masked", str(tmp_path), "--json", str(path), "--steps", "200", "--seeds", "3"]
    monkeypatch.setattr(sys, "argv", [*given, "--variants", "80 to 90 %"])
    masked_training.main()
    # the last forty have no part in training
    assert trained == [(5, 4, 200, 3)]
    assert asked == ["train400"]
    monkeypatch.setattr(sys, "argv", given)
    masked_training.main()
    assert len(trained) == 3
    found = read(path)
    assert set(found) == {f"{name}, seed 3, 200 steps" for name in masked_training.VARIANTS}
    for name in masked_training.VARIANTS:
        of = found[f"{name}, seed 3, 200 steps"]
        assert ("test" in of) == (name in masked_training.FINAL)
        (row,) = of["held out"]
        assert name in row
        assert (f"{name}, no local means" in row) == (name != "not masked")
        if "test" in of:
            assert set(of["test"][0]) == {"noise", "strength", "noisy", name}
    assert masked_training.VARIANTS[masked_training.FINAL[1]] is MaskedDenoiserConfig
    joined = masked_training.joined(found.values(), "held out")
    assert {*masked_training.VARIANTS} < {*joined.models}
    assert len(joined.rows) == 1


# tables ----------------------------------------------------------------------------------------


def figure(machine, psnr, date="2026-11-22"):
    scores = {"prior last psnr": psnr, "prior last ssim": 0.8, "steps": 100}
    return {**scores, "machine": machine, "date": date}


def test_a_table_of_two_machines_tells_them_apart(monkeypatch):
    from benchmarks.quality import tables

    found = {
        "sigma 25, noisy": {"psnr": 20.17, "ssim": 0.4, "machine": "A", "date": "2026-11-21"},
        "sigma 25, n2v, 1 min, seed 0": figure("A", 27.0),
        "sigma 25, n2v, 1 min, seed 1": figure("A", 28.0, "2026-11-23"),
        "sigma 25, r2r, 1 min, seed 0": figure("B", 28.5),
        "sigma 25, n2v2, 2 min, seed 0": figure("C", 29.0),
    }
    monkeypatch.setattr(tables, "figures", lambda name: found)
    table = tables.equal_time("bsd68", "sigma 25", "1 min")
    heads, _, *rows = [line.split("|") for line in table.splitlines() if line.startswith("|")]
    assert heads[-2].strip() == "machine"
    by_title = {row[1].strip(): row for row in rows}
    assert {title: row[-2].strip() for title, row in by_title.items()} == {
        "noisy": "", "N2V": "1", "R2R, estimating the noise": "2",
    }  # fmt: skip
    assert "27.50 ± 0.71" in "|".join(by_title["N2V"])
    ends = [line for line in table.splitlines() if line[:2] in ("1:", "2:")]
    assert ends == ["1: A; 2026-11-22 to 2026-11-23.", "2: B; 2026-11-22."]
    with pytest.raises(SystemExit, match="several machines: A; B"):
        tables.when(list(found.values())[:4])
    del found["sigma 25, r2r, 1 min, seed 0"]
    alone = tables.equal_time("bsd68", "sigma 25", "1 min")
    assert "machine" not in alone
    assert alone.endswith("A; 2026-11-22 to 2026-11-23.")


# published recipes -----------------------------------------------------------------------------

PUBLISHED = """
import json
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import numpy as np
from test_quality import make_task, options

from benchmarks.quality import equal_time, published

folder, task = Path(sys.argv[2]), make_task()
short = {"train_epochs": 4, "train_steps_per_epoch": 2, "train_batch_size": 2}
published.N2V_RECIPE.update(
    short, unet_n_first=4, unet_n_depth=1, n2v_patch_shape=(32, 32), n2v_perc_pix=2.0
)
published.HQSSL_RECIPE.update(short, net_width=4, train_patch_shape=(32, 32))

def run(name, **changes):
    given = {"methods": [name], "work": folder / "work", "shorter": 1, "effort": "all steps"}
    args = options(folder, **given | {"peak": 2.0, "json": None} | changes)
    found, results = published.run(task, args, name, 0)
    assert {"prior best", "posterior last", "prior tta"} <= results.keys()
    assert all(np.isfinite(image).all() for images in results.values() for image in images)
    place = args.work / published.folder(args, name, 0)
    (training,) = json.loads((place / "training.json").read_text())["runs"]
    brightness = float(np.sum(results["prior last"][0]))
    print(json.dumps([place.name, found, training, brightness]))
    return args

begun = published.n2v(task, task.train[1:], train_seed=0)
published.N2V(begun, "sigma_25_n2v_all_steps_seed_0", folder / "work")
files = [path.name for path in (folder / "work").glob("*/*")]
assert files == ["config.json"], files
run("n2v")
run("n2v")
args = run("n2v", shorter=2, effort="steps / 2", json=folder / "figures.json")
run("hqssl known")
equal_time.run(args, lambda _: task, {}, published.run)
published.N2V_RECIPE["train_epochs"] = 3
run("n2v")
"""


@pytest.mark.slow
def test_published_recipes_go_on_and_are_told_apart(tmp_path):
    """From a folder with a config alone, from one that is done, and with fewer steps."""
    pytest.importorskip("jax")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])
    done = subprocess.run(
        [sys.executable, "-c", PUBLISHED, str(Path(__file__).parent), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path},
    )  # fmt: skip
    # the last call: its recipe has fewer epochs than the model in the folder
    assert "Received: 4 for 3" in done.stderr, done.stderr[-3000:]
    first, again, shorter, hqssl = (
        json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")
    )
    assert first[0] == again[0] == "sigma_25_n2v_all_steps_seed_0"
    assert shorter[0] == "sigma_25_n2v_steps_2_seed_0"
    assert hqssl[0] == "sigma_25_hqssl_known_all_steps_seed_0"
    assert [len(of[2]["history"]["loss"]) for of in (first, again, shorter)] == [4, 4, 2]
    assert [of[1]["steps"] for of in (first, again, shorter)] == [8, 8, 4]
    # nothing is trained again, and the time is still that of the training
    assert first[2:] == again[2:]
    assert first[1]["seconds"] == again[1]["seconds"] == first[2]["seconds"] > 0
    for _, found, *_ in (first, again, shorter, hqssl):
        assert found["of peak"] == found["teraflops"] / 2 > 0
        assert found["wall seconds"] > found["seconds"]
    (key,) = read(tmp_path / "figures.json")
    assert key == "sigma 25, n2v, steps / 2, seed 0"
    assert read(tmp_path / "figures.json")[key]["prior last psnr"] > 5
    assert (tmp_path / "kept" / "sigma 25, n2v, steps by 2, seed 0, prior last.npz").exists()
