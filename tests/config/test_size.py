"""What a network takes is reckoned before it is made."""

import json

import pytest

from n2v_tk import machine
from n2v_tk.config import (
    CAREConfig,
    DIPConfig,
    HQSSLConfig,
    MaskedDenoiserConfig,
    N2NConfig,
    N2VConfig,
    R2RConfig,
)
from n2v_tk.config.reading import load_config
from n2v_tk.config.size import TRAINING_LIMIT
from n2v_tk.errors import ConfigError, ModelFolderError
from n2v_tk.models.loading import class_of
from n2v_tk.nets.hourglass import build_hourglass

SMALL = {"unet_n_depth": 1, "unet_n_first": 4}
CONFIGS = [
    N2VConfig(**SMALL),
    N2VConfig(**SMALL, batch_norm=False, unet_kern_size=3),
    N2VConfig(n_dim=3, **SMALL),
    N2VConfig.n2v2(unet_n_depth=2, unet_n_first=4),
    N2VConfig.n2v2(n_dim=3, **SMALL),
    N2VConfig(n_channel_in=3, n_channel_out=3, **SMALL),
    N2VConfig(n_channel_in=3, n_channel_out=3, single_net_per_channel=False, **SMALL),
    N2VConfig(probabilistic=True, **SMALL),
    N2VConfig(n_channel_in=2, n_channel_out=2, unet_wide_decoder=True, unet_n_first=4),
    CAREConfig(n_channel_out=2, unet_n_depth=3, unet_n_first=3),
    CAREConfig(axes="ZYXC", probabilistic=True, **SMALL),
    HQSSLConfig(net_width=4),
    HQSSLConfig(net_width=6, n_channel_in=3, n_channel_out=3, noise_level=5.0),
    HQSSLConfig(net_width=4, covariance="diagonal", noise_scope="image", noise_model="camera"),
    N2NConfig(net_width=6),
    N2NConfig(network="unet", n_dim=3, **SMALL),
    R2RConfig(n_channel_in=2, n_channel_out=2, **SMALL),
    R2RConfig(n_dim=3, **SMALL),
    MaskedDenoiserConfig(net_width=8, net_heads=2, net_depths=(2, 1), net_window=4),
    MaskedDenoiserConfig(
        net_width=12, net_heads=3, net_depths=(1,), n_channel_in=3, n_channel_out=3
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.method)
def test_weights_are_those_that_keras_counts(config):
    network = class_of(config.method)(config, basedir=None).keras_model
    size = config.network_size()
    assert size.weights == sum(w.size for w in network.get_weights())
    # those within others too
    assert size.layers >= 0.7 * len(network.layers)


@pytest.mark.parametrize("settings", [{}, {"one_by_one": False, "kernel_up": 5}])
def test_weights_of_hourglasses(settings):
    config = DIPConfig(
        down_channels=(4, 6), up_channels=(3, 5), skip_channels=(0, 2), input_channels=5, **settings
    )
    network = build_hourglass(
        5, 3, (4, 6), (3, 5), (0, 2), 3, config.kernel_up, one_by_one=config.one_by_one
    )
    assert config.network_size().weights == network.count_params()


@pytest.mark.parametrize(
    ("method", "settings", "named"),
    [
        (N2VConfig, {"unet_n_depth": 50}, "unet_n_depth"),
        (N2VConfig, {"unet_n_first": 10**6}, "unet_n_first=1000000"),
        (N2VConfig, {"unet_kern_size": 100_001}, "unet_kern_size=100001"),
        (N2VConfig, {"n_channel_in": 10**6, "n_channel_out": 10**6}, "n_channel_in=1000000"),
        (N2VConfig, {"n2v_patch_shape": (2**30, 2**30)}, "n2v_patch_shape=.1073741824"),
        (N2VConfig, {"train_batch_size": 10**9}, "train_batch_size=1000000000"),
        (N2VConfig, {"n2v_neighborhood_radius": 10**9}, "1000000000"),
        (N2VConfig, {"structN2Vmask": [[1] * 100_001]}, "shape"),
        (N2VConfig, {"train_milestones": tuple(range(1, 5000))}, "4999"),
        (N2VConfig, {"train_workers": 10**6}, "train_workers"),
        (N2VConfig, {"train_epochs": 10**30}, "train_epochs"),
        (N2VConfig, {"train_seed": 10**300}, "train_seed"),
        (CAREConfig, {"n_channel_out": 10**9}, "n_channel_out=1000000000"),
        (CAREConfig, {"train_patch_shape": (2**26, 2**26)}, "train_patch_shape"),
        (HQSSLConfig, {"n_channel_in": 10**6, "n_channel_out": 10**6}, "n_channel_in"),
        (HQSSLConfig, {"train_patch_shape": (2**25, 2**25)}, "train_patch_shape"),
        (N2NConfig, {"train_batch_size": 10**9}, "train_batch_size"),
        (MaskedDenoiserConfig, {"net_width": 6 * 10**6}, "net_width=6000000"),
        (MaskedDenoiserConfig, {"net_depths": (6,) * 10**5}, "net_depths"),
        (
            MaskedDenoiserConfig,
            {"net_window": 10**4, "train_patch_shape": (10**4, 10**4)},
            "net_window=10000",
        ),
        (DIPConfig, {"down_channels": (8,) * 1000}, "1 to 12 scales"),
        (DIPConfig, {"down_channels": (10**7,) * 5}, "down_channels"),
        (DIPConfig, {"kernel_down": 10**7 + 1}, "kernel_down=10000001"),
    ],
)
def test_what_no_memory_holds_is_refused_before_it_is_made(method, settings, named, monkeypatch):
    monkeypatch.setattr("n2v_tk.config.size.memory_total", lambda: 2**37)
    with pytest.raises(ConfigError, match=f"Received: .*{named}|{named}.*Received: "):
        method(**settings)


def test_the_message_tells_the_memory(monkeypatch):
    monkeypatch.setattr("n2v_tk.config.size.memory_total", lambda: 10**9)
    with pytest.raises(ConfigError, match=r"weights in .* layers take .* GB .* has 1 GB"):
        N2VConfig(unet_n_first=512)
    N2VConfig(unet_n_first=64)
    with pytest.raises(ConfigError, match=r"step of training .* takes .* PB"):
        N2VConfig(train_batch_size=10**9)


@pytest.mark.parametrize("method", [N2VConfig, CAREConfig, HQSSLConfig, N2NConfig, R2RConfig])
def test_large_but_usual_settings_pass(method):
    assert method(train_batch_size=256).step_bytes() < TRAINING_LIMIT / 10
    if method is not HQSSLConfig:
        N2VConfig(n_dim=3, unet_n_depth=4, unet_n_first=96, n2v_patch_shape=(64, 256, 256))


def test_assignments_are_reckoned_too():
    config = N2VConfig()
    with pytest.raises(ConfigError, match="unet_n_first=1000000"):
        config.unet_n_first = 10**6
    assert config.unet_n_first == 32


def test_a_folder_with_such_settings_is_refused_at_once(tmp_path):
    data = N2VConfig().to_json() | {"unet_n_first": 10**6}
    (tmp_path / "config.json").write_text(json.dumps(data))
    with pytest.raises(ConfigError, match="unet_n_first=1000000"):
        load_config(tmp_path)


def test_a_config_file_of_many_bytes_is_not_read(tmp_path):
    with open(tmp_path / "config.json", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(ModelFolderError, match="1099511627776 bytes"):
        load_config(tmp_path)


def test_containers_count(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    free = machine.memory_total()
    assert free > 2**30
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory_total() == free
    (tmp_path / "memory.max").write_text(f"{2**29}\n")
    (tmp_path / "memory.current").write_text(f"{2**28}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\nfile {2**27}\n")
    assert machine.memory_total() == 2**29
    assert machine.memory_available() == min(machine.memory_available(), 2**29 - 2**27)
