import numpy as np
import pytest

from n2v_tk import DeepImagePrior, DIPConfig
from n2v_tk.errors import (
    ConfigError,
    ImageError,
    ModelFolderError,
    OutputExistsError,
    TrainingError,
)
from n2v_tk.evaluation.metrics import psnr
from n2v_tk.layers.lanczos import downsample
from n2v_tk.training.picture_fit import Backtracking, StopRule

SMALL = {"down_channels": (8, 8), "check_every": 10, "stop": "iterations", "seed": 0,
         "precision": "float32"}  # fmt: skip


@pytest.fixture
def smooth():
    """A smooth picture in [0, 1] (Y, X)."""
    y, x = np.mgrid[:64, :64] / 64
    return 0.5 + 0.25 * np.sin(6 * x) + 0.2 * np.cos(5 * y + 3 * x)


def fit(image, axes="YX", **settings):
    arguments = {"mask", "guide", "reference", "folder", "resume", "on_look"} & settings.keys()
    given = {name: settings.pop(name) for name in arguments}
    return DeepImagePrior(DIPConfig(**{**SMALL, **settings})).fit(image, axes, **given)


@pytest.mark.slow
def test_structure_is_fitted_long_before_noise(rng, smooth):
    """Ulyanov et al., figure 2: the same pixels, shuffled, are much harder to fit."""
    shuffled = rng.permutation(smooth.ravel()).reshape(64, 64)
    left = []
    for image in (smooth, shuffled):
        result = fit(image, down_channels=(32, 32, 32), iterations=150, check_every=150)
        left.append(np.mean((result.current - image) ** 2) / image.var())
    assert left[0] < 0.05
    assert left[1] > 10 * left[0]


@pytest.mark.slow
def test_quality_peaks_and_decays(rng, smooth):
    """Without stopping the noise is fitted too; the averaged output comes later and is better."""
    noisy = smooth + 25 / 255 * rng.standard_normal(smooth.shape)
    result = fit(
        noisy, down_channels=(32, 32, 32), iterations=1500, value_range=(0, 1), reference=smooth
    )
    way = np.array(result.history["psnr"])
    start = psnr(smooth, noisy, 1.0)
    assert way.max() > start + 5
    assert way[-1] < way.max() - 3
    assert max(result.history["psnr_average"]) > way.max() - 0.5


def test_the_result_is_better_than_the_picture_and_the_rule_stops_by_itself(rng, smooth):
    noisy = smooth + 25 / 255 * rng.standard_normal(smooth.shape)
    result = fit(
        noisy, down_channels=(16, 16, 16), stop="auto", patience=150, iterations=1000,
        value_range=(0, 1), reference=smooth,
    )  # fmt: skip
    assert result.stopped_by == "held_out"
    assert result.history["iteration"][-1] < 1000
    assert psnr(smooth, result.image, 1.0) > psnr(smooth, noisy, 1.0) + 5
    best = max(result.history["psnr_average"])
    assert result.iteration == result.history["iteration"][np.argmin(result.history["held_out"])]
    assert psnr(smooth, result.image, 1.0) > best - 1


@pytest.mark.slow
def test_the_same_seed_gives_the_same_way(rng, smooth):
    ways = [fit(smooth, iterations=20, seed=s).history["loss"] for s in (3, 3, 4)]
    assert ways[0] == ways[1] != ways[2]


def test_the_input_stays_and_without_noise_the_forward_pass_repeats(smooth):
    inputs = []

    def look(progress):
        fit = progress._fit
        first, second = (np.asarray(fit(np.zeros((1, 1)), training=False)) for _ in range(2))
        inputs.append(np.asarray(fit.z))
        np.testing.assert_array_equal(first, second)

    fit(smooth, iterations=20, input_noise=0, on_look=look)
    np.testing.assert_array_equal(*inputs)
    assert 0 <= inputs[0].min() < inputs[0].max() <= 0.1


@pytest.mark.slow
def test_steps_do_not_depend_on_how_often_one_looks(smooth):
    ends = [fit(smooth, iterations=21, check_every=n).current for n in (7, 10, 100)]
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])


def test_looks_and_pictures_of_the_way(smooth):
    seen = []

    def look(progress):
        seen.append((progress.iteration, progress.current().shape, progress.averaged().shape))
        return progress.iteration == 60

    result = fit(smooth * 1000, iterations=90, on_look=look)
    assert [s[0] for s in seen] == [10, 20, 30, 40, 50, 60]
    assert seen[0][1:] == (smooth.shape, smooth.shape)
    assert result.stopped_by == "caller"
    assert list(result.way) == [10, 20, 40]
    assert result.image.min() > 0
    assert result.image.max() < 1000


@pytest.mark.slow
def test_holes_are_filled_and_teach_nothing(rng, smooth):
    mask = np.ones(smooth.shape)
    mask[20:26, 10:50] = 0
    spoiled = np.where(mask, smooth, 0.9)
    options = {"task": "inpaint", "down_channels": (16, 16, 16), "mask": mask}
    early = {}
    result = fit(
        spoiled, **options, iterations=150,
        on_look=lambda progress: early.setdefault(progress.iteration, progress.current()) is None,
    )  # fmt: skip
    hole = mask == 0
    np.testing.assert_allclose(result.image[~hole], smooth[~hole], atol=1e-6)
    error = np.abs(result.image - smooth)[hole].mean()
    assert error < 0.1 * np.abs(spoiled - smooth)[hole].mean()
    # what is in the hole plays no part
    other = fit(np.where(mask, smooth, 0.1), **options, iterations=10, keep_known=False)
    np.testing.assert_array_equal(other.current, early[10])


@pytest.mark.slow
def test_colour_and_volumes(rng):
    for axes, shape in (("CYX", (3, 20, 26)), ("ZYX", (9, 20, 22)), ("YXC", (20, 26, 2))):
        image = (rng.random(shape) * 255).astype(np.uint8)
        result = fit(image, axes, iterations=10)
        assert result.image.shape == shape
        assert 0 <= result.image.min() < result.image.max() <= 255


def test_known_pixels_come_back_exactly(rng):
    image = rng.integers(0, 60000, (20, 24)).astype(np.uint16)
    mask = rng.random(image.shape) < 0.7
    result = fit(image, task="restore", mask=mask, iterations=10, value_range=(1000, 50000))
    np.testing.assert_array_equal(result.image[mask], image[mask])


def test_enlarging_with_pixels_held_out(smooth):
    result = fit(smooth[:32, :32], task="superres", factor=2, stop="held_out", iterations=20)
    assert len(result.history["held_out"]) == 2
    assert result.image.shape == (64, 64)


@pytest.mark.slow
def test_enlarging(smooth):
    small = np.asarray(downsample(smooth[None, ..., None].astype("f4"), 4))[0, ..., 0]
    result = fit(
        small, task="superres", factor=4, down_channels=(16, 16, 16), iterations=300,
        reference=smooth,
    )  # fmt: skip
    assert result.image.shape == (64, 64)
    by_pixel = np.kron(small, np.ones((4, 4)))
    assert psnr(smooth, result.image, 1.0) > psnr(smooth, by_pixel, 1.0) + 3


def test_a_guide_lends_its_edges(rng, smooth):
    edges = (smooth > 0.5).astype(float)
    noisy = 0.2 + 0.5 * edges + 0.1 * rng.standard_normal(edges.shape)
    result = fit(noisy, task="flash", guide=edges * 3000, iterations=60, learning_rate=0.02)
    truth = 0.2 + 0.5 * edges
    assert psnr(truth, result.image, 1.0) > psnr(truth, noisy, 1.0) + 5


@pytest.mark.parametrize("settings", [
    {"preset": "inpaint_grid", "task": "inpaint"},
    {"preset": "restore_sparse", "task": "restore", "pooling": "average"},
    {"preset": "inpaint_large", "task": "inpaint", "kernel_down": 5, "parameter_noise": 0.05},
    {"stop": "variance"},
    {"precision": "mixed_bfloat16"},
])  # fmt: skip
def test_variants_run(rng, smooth, settings):
    mask = {"mask": rng.random(smooth.shape) < 0.8} if "preset" in settings else {}
    result = fit(smooth, iterations=40, **settings, **mask)
    assert np.isfinite(result.image).all()
    assert result.history["loss"][-1] < result.history["loss"][0]
    if settings.get("stop"):
        assert len(result.history["variance"]) == 4


def test_variance_is_that_of_the_latest_outputs(smooth):
    """Wang et al. 2021, algorithm 2."""
    outputs = []
    result = fit(
        smooth, iterations=12, check_every=1, value_range=(0, 1),
        on_look=lambda progress: outputs.append(progress.current()) is not None,
    )  # fmt: skip
    mean, variance, wanted = outputs[0], 0.0, [0.0]
    for output in outputs[1:]:
        change = output - mean
        mean = mean + 0.1 * change
        variance = 0.9 * (variance + 0.1 * np.mean(change**2))
        wanted.append(variance)
    np.testing.assert_allclose(result.history["variance"], wanted, rtol=1e-3, atol=1e-9)


@pytest.mark.slow
def test_parameter_noise_changes_the_way(smooth):
    ways = [fit(smooth, iterations=10, input_noise=0, parameter_noise=n).current for n in (0, 0.2)]
    assert (ways[0] != ways[1]).any()


@pytest.mark.slow
def test_a_fit_goes_on_where_it_was(smooth, tmp_path):
    whole = fit(smooth, iterations=40, stop="held_out")
    first = fit(smooth, iterations=20, stop="held_out", folder=tmp_path)
    assert first.history["iteration"] == [10, 20]
    second = fit(smooth, iterations=40, stop="held_out", folder=tmp_path, resume=True)
    assert second.history == whole.history
    np.testing.assert_array_equal(second.image, whole.image)
    np.testing.assert_array_equal(second.current, whole.current)
    names = [".training.lock", "config.json", "state.npz"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    # it is done: nothing is computed again
    third = fit(smooth, iterations=40, stop="held_out", folder=tmp_path, resume=True)
    np.testing.assert_array_equal(third.image, whole.image)


def test_a_state_is_not_lost_or_mixed_up(smooth, tmp_path):
    fit(smooth, iterations=10, folder=tmp_path)
    with pytest.raises(OutputExistsError, match="Go on with resume=True"):
        fit(smooth, iterations=10, folder=tmp_path)
    with pytest.raises(ModelFolderError, match="other the picture or its mask"):
        fit(smooth * 2, iterations=10, folder=tmp_path, resume=True)
    with pytest.raises(ModelFolderError, match="other learning_rate"):
        fit(smooth, iterations=10, folder=tmp_path, resume=True, learning_rate=0.1)
    (tmp_path / "state.npz").write_bytes(b"PK broken")
    with pytest.raises(ModelFolderError, match="may be damaged"):
        fit(smooth, iterations=10, folder=tmp_path, resume=True)


def test_a_folder_with_a_model_stays_as_it_is(smooth, tmp_path):
    (tmp_path / "config.json").write_text('{"n2v_tk_method": "n2v"}')
    with pytest.raises(ModelFolderError, match="The folder holds a model"):
        fit(smooth, iterations=10, folder=tmp_path)
    assert (tmp_path / "config.json").read_text() == '{"n2v_tk_method": "n2v"}'


@pytest.mark.slow
def test_a_caller_who_stopped_may_go_on(smooth, tmp_path):
    first = fit(smooth, iterations=40, folder=tmp_path, on_look=lambda progress: True)
    assert (first.stopped_by, first.history["iteration"]) == ("caller", [10])
    second = fit(smooth, iterations=20, folder=tmp_path, resume=True)
    assert (second.stopped_by, second.history["iteration"]) == ("iterations", [10, 20])


def test_ctrl_c_gives_the_best_so_far(smooth, tmp_path):
    def look(progress):
        if progress.iteration == 20:
            raise KeyboardInterrupt

    result = fit(smooth, iterations=40, on_look=look)
    assert (result.stopped_by, result.iteration) == ("interrupt", 20)
    assert np.isfinite(result.image).all()


def test_going_back_after_nan_takes_other_noise(smooth):
    """Parameters that are not a number are taken back, and the fit goes on."""
    spoiled = []

    def look(progress):
        if progress.iteration == 20:
            for variable in progress._fit.trainable_variables:
                variable.assign(np.full(variable.shape, np.nan, np.float32))
            spoiled.append(np.asarray(progress._fit.noise.state))

    result = fit(smooth, iterations=60, on_look=look)
    assert np.isnan(result.history["loss"][2])
    assert np.isfinite(result.history["loss"][3:]).all()
    assert np.isfinite(result.image).all()


def test_resume_starts_where_there_is_no_state(smooth, tmp_path):
    result = fit(smooth, iterations=10, folder=tmp_path / "new", resume=True)
    assert result.history["iteration"] == [10]


class FakeFit:
    """What `Backtracking` needs of a fit."""

    def __init__(self):
        self.value, self.step, self.noise = 0, Step(), Noise()

    def state(self):
        return {"all": self.value}

    def set_state(self, state):
        self.value = ("all", state["all"])

    def set_parameters(self, state):
        self.value = ("parameters", state["all"])


class Step:
    value = 0

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value)

    def assign(self, value):
        self.value = value


class Noise:
    def __init__(self):
        self.state = Step()


def test_backtracking():
    fake = FakeFit()
    back = Backtracking(fake, 5.0)
    for psnr_fit, value in ((20, 1), (24, 2), (19.5, 3)):
        fake.value = value
        assert not back.look(psnr_fit)
    fake.value = 4
    assert back.look(14)
    assert fake.value == ("parameters", 3)
    fake.value = 5
    assert back.look(float("nan"))
    assert fake.value == ("all", 3)
    assert back.look(float("nan"))
    with pytest.raises(TrainingError, match="lower learning_rate"):
        back.look(float("nan"))


def test_stop_rule():
    rule = StopRule(20)
    looks = [rule.look(step, value) for step, value in ((10, 3), (20, 1), (30, 2), (40, 1.5))]
    assert looks == [(True, False), (True, False), (False, False), (False, True)]
    assert rule.best_step == 20


@pytest.mark.parametrize(("given", "error", "message"), [
    ({"task": "inpaint"}, ConfigError, "needs a mask"),
    ({"task": "flash"}, ConfigError, "A guide image is for the task 'flash'"),
    ({"guide": np.zeros((64, 64))}, ConfigError, "task='denoise', guide=an image"),
    ({"down_channels": (4,) * 7}, ImageError, r"at least 129 pixels. Received: \(64, 64\)"),
    ({"reference": np.zeros((3, 3))}, ImageError, "The reference must have the shape"),
    ({"task": "flash", "guide": np.zeros((60, 64))}, ImageError, "The guide must have the shape"),
    ({"task": "flash", "guide": np.zeros((64, 64))}, ImageError, "The guide is constant"),
])  # fmt: skip
def test_bad_input_is_refused_before_work(smooth, tmp_path, given, error, message):
    with pytest.raises(error, match=message):
        fit(smooth, iterations=10, folder=tmp_path / "new", **given)
    assert not (tmp_path / "new").exists()


def test_config_of_another_kind():
    with pytest.raises(ConfigError, match=r"must be a DIPConfig. Received: dict"):
        DeepImagePrior({})
