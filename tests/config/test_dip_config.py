import pytest

from n2v_tk.config.dip import DIPConfig
from n2v_tk.errors import ConfigError


def test_defaults_follow_the_task():
    assert DIPConfig().input_noise == pytest.approx(1 / 30)
    assert DIPConfig(task="flash").upsampling == ("nearest",) * 2 + ("linear",) * 3
    assert DIPConfig(task="restore").learning_rate == 1e-3
    assert DIPConfig(task="superres").iterations == 2000
    assert DIPConfig(task="superres", factor=8).iterations == 4000
    assert DIPConfig(task="inpaint", preset="inpaint_large").kernel_down == 5


def test_fewer_scales_keep_the_other_defaults():
    config = DIPConfig(task="flash", down_channels=(16, 16, 16))
    assert config.skip_channels == (4, 4, 4)
    assert config.upsampling == ("nearest", "nearest", "linear")
    assert DIPConfig(down_channels=(8,) * 7).skip_channels == (4,) * 7


def test_what_auto_stands_for():
    rules = {task: DIPConfig(task=task).stop_rule for task in ("denoise", "jpeg", "inpaint")}
    assert rules == {"denoise": "held_out", "jpeg": "held_out", "inpaint": "iterations"}
    assert DIPConfig(stop="variance").stop_rule == "variance"


def test_known_pixels_are_kept_where_they_are_right():
    assert DIPConfig(task="inpaint").keeps_known
    assert not DIPConfig(task="inpaint", keep_known=False).keeps_known
    assert not DIPConfig().keeps_known


def test_file(tmp_path):
    config = DIPConfig(task="inpaint", iterations=7, seed=3)
    config.save(tmp_path / "config.json")
    assert DIPConfig.load(tmp_path / "config.json") == config


@pytest.mark.parametrize(("settings", "message"), [
    ({"task": "sharpen"}, "task must be one of denoise, jpeg"),
    ({"preset": "nothing"}, "preset must be one of"),
    ({"factor": 3}, "factor"),
    ({"iteration": 10}, "Did you mean 'iterations'"),
    ({"skip_channels": (4,)}, r"skip_channels must have a value for each of the 5 scales"),
    ({"upsampling": ("linear",)}, "upsampling must have a value for each"),
    ({"down_channels": ()}, "1 to 12 scales"),
    ({"kernel_down": 4}, "kernel_down must be odd. Received: 4"),
    ({"value_range": (2, 1)}, "value_range must be"),
    ({"input": "image"}, "'flash' and input='image' belong together"),
    ({"task": "superres", "keep_known": True}, "no pixels that are known"),
    ({"held_out": 0.9}, "held_out"),
])  # fmt: skip
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        DIPConfig(**settings)
