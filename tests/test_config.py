"""Settings: bounds in one place, links there and back, costs refused with the cost named."""

import dataclasses
import json
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bnviz import config
from bnviz.config import (
    BY_NAME,
    MEAN,
    SETTINGS,
    Axis,
    Choice,
    HyperParams,
    Initialization,
    LinearUnitConfig,
    ModelConfig,
    Network,
    Number,
    Optimizer,
    Settings,
    Several,
    View,
)
from bnviz.errors import ConfigError


def in_bounds(setting: config.Setting) -> st.SearchStrategy:
    match setting.domain:
        case Choice(kind):
            return st.sampled_from(list(kind))
        case Several(kind, least, most):
            some = st.lists(st.sampled_from(list(kind)), min_size=least, max_size=most, unique=True)
            return some.map(setting.check)
        case Number(low, high, is_integer=True):
            return st.integers(int(low), int(high))
        case Number(low, high):
            return st.floats(low, high)


@st.composite
def some_settings(draw: st.DrawFn) -> Settings:
    changes = draw(st.fixed_dictionaries({}, optional={one.name: in_bounds(one) for one in SETTINGS}))
    try:
        return Settings().replace(**changes)
    except ConfigError:
        assume(False)
        raise


def test_every_field_has_exactly_one_row_in_the_table() -> None:
    named = [one.name for one in dataclasses.fields(HyperParams)] + [
        one.name for one in dataclasses.fields(ModelConfig)
    ]
    assert sorted(named) == sorted(BY_NAME)
    assert len({setting.key for setting in SETTINGS}) == len(SETTINGS)


def test_live_settings_are_the_hyper_params() -> None:
    assert {s.name for s in SETTINGS if s.is_live} == {one.name for one in dataclasses.fields(HyperParams)}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_every_default_and_every_slider_stop_is_allowed(setting: config.Setting) -> None:
    setting.check(Settings().get(setting.name))
    if isinstance(setting.domain, Number) and setting.domain.grid:
        assert all(setting.check(value) == value for value in setting.domain.grid)
        assert setting.domain.grid[0] == setting.domain.low
        assert setting.domain.grid[-1] == setting.domain.high
        assert Settings().get(setting.name) in setting.domain.grid


@given(some_settings())
def test_a_link_reproduces_its_settings(settings: Settings) -> None:
    read, notices = config.from_query(config.to_query(settings))
    assert not notices
    for setting in SETTINGS:
        if isinstance(setting.domain, Number):
            assert read.get(setting.name) == pytest.approx(settings.get(setting.name), rel=1e-9)
        else:
            assert read.get(setting.name) == settings.get(setting.name)
            assert type(read.get(setting.name)) is type(settings.get(setting.name))


@given(some_settings())
def test_a_file_reproduces_its_settings(settings: Settings) -> None:
    assert config.from_json(json.loads(json.dumps(config.to_json(settings)))) == settings


@given(
    st.dictionaries(
        st.sampled_from([s.key for s in SETTINGS]), st.text() | st.floats().map(str) | st.integers().map(str)
    )
)
def test_whatever_a_link_says_the_settings_are_within_bounds(query: dict[str, str]) -> None:
    settings, notices = config.from_query(query)
    config.check_cost(settings)
    for setting in SETTINGS:
        setting.check(settings.get(setting.name))
    assert all(isinstance(notice, str) and notice for notice in notices)


@pytest.mark.parametrize(
    ("key", "text", "name"),
    [
        ("lr", "99", "learning_rate"),
        ("lr", "nan", "learning_rate"),
        ("lr", "", "learning_rate"),
        ("batch", "0", "batch_size"),
        ("networks", "none", "networks"),
        ("networks", "none,none", "networks"),
        ("networks", "none,batch,layer,group,weight", "networks"),
        ("networks", "none,instance", "networks"),
        ("groups", "0", "groups"),
        ("rmax", "0.5", "r_max"),
        ("batch", "60.5", "batch_size"),
        ("g", "softmax", "nonlinearity"),
        ("layers", "1e3", "hidden_layers"),
        ("seed", "-1", "seed"),
    ],
)
def test_a_bad_value_in_a_link_falls_back_with_a_notice_that_names_it(key: str, text: str, name: str) -> None:
    settings, notices = config.from_query({key: text, "width": "50"})
    assert settings == Settings().replace(width=50)
    (notice,) = notices
    assert f"{key}={text}" in notice
    assert BY_NAME[name].domain.rule in notice


def test_sizes_that_cost_too_much_together_fall_back_and_the_cost_is_named() -> None:
    settings, notices = config.from_query({"layers": "20", "width": "512", "batch": "1024", "lr": "0.1"})
    assert settings == Settings().replace(learning_rate=0.1)
    assert "ms a step" in notices[0]


@given(
    st.sampled_from(SETTINGS),
    st.none() | st.booleans() | st.text() | st.floats() | st.integers() | st.lists(st.integers()),
)
def test_a_value_is_either_within_bounds_or_refused_with_the_rule(setting: config.Setting, value: object) -> None:
    try:
        checked, refusal = setting.check(value), None
    except ConfigError as error:
        checked, refusal = None, error.text
    if refusal is not None:
        assert setting.label in refusal
        assert setting.domain.rule in refusal
    elif isinstance(setting.domain, Number):
        assert setting.domain.low <= checked <= setting.domain.high
    elif isinstance(setting.domain, Several):
        assert set(checked) <= set(setting.domain.kind)
    else:
        assert checked in setting.domain.kind


@pytest.mark.parametrize("value", [0, 1025, 60.5, math.nan, math.inf, "60", True])
def test_an_engine_call_can_ask_for_nothing_the_slider_could_not(value: object) -> None:
    with pytest.raises(ConfigError, match="Batch size"):
        HyperParams(batch_size=value)  # type: ignore[arg-type]


def test_the_products_of_settings_are_bounded_with_the_cost_named() -> None:
    with pytest.raises(ConfigError, match=r"20 layers of 512 at batch 1024 would take about \d+ ms"):
        Settings(ModelConfig(hidden_layers=20, width=512), HyperParams(batch_size=1024))
    with pytest.raises(ConfigError, match=r"Adam and 2 networks would need \d+ MB a checkpoint"):
        Settings(ModelConfig(hidden_layers=3, width=512, optimizer=Optimizer.ADAM), HyperParams(batch_size=2))
    maps = ModelConfig(architecture="convolutional", hidden_layers=2, width=16)
    with pytest.raises(
        ConfigError, match=r"2 convolutions of 16 at batch 512 .* choose fewer feature maps or a smaller"
    ):
        Settings(maps, HyperParams(batch_size=512))


@given(some_settings())
def test_more_work_never_costs_less(settings: Settings) -> None:
    model, hyper = settings.model, settings.hyper
    try:
        wider = settings.replace(width=min(512, model.width + 16))
        longer = settings.replace(batch_size=min(1024, hyper.batch_size + 16))
    except ConfigError:
        return
    assert config.step_milliseconds(wider) >= config.step_milliseconds(settings)
    assert config.step_milliseconds(longer) >= config.step_milliseconds(settings)
    assert config.checkpoint_bytes(wider) >= config.checkpoint_bytes(settings)


def test_an_unknown_setting_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="momentun"):
        Settings().replace(momentun=0.5)


def test_a_scheme_in_a_link_without_a_scale_takes_the_schemes_own() -> None:
    settings, _ = config.from_query({"init": "he"})
    assert settings.model.initialization is Initialization.HE
    assert settings.model.init_scale == 1.0


def test_an_architecture_in_a_link_without_sizes_takes_its_own() -> None:
    settings, notices = config.from_query({"net": "convolutional"})
    assert (settings.model.hidden_layers, settings.model.width, notices) == (2, 16, [])
    back, _ = config.from_query({"net": "fully_connected"}, settings)
    assert (back.model.hidden_layers, back.model.width) == (3, 100)
    kept, _ = config.from_query({"net": "convolutional", "width": "20"})
    assert kept.model.width == 20


def test_links_and_files_from_before_there_were_architectures_are_fully_connected() -> None:
    old = {key: text for key, text in config.to_query(Settings()).items() if key != "net"}
    assert config.from_query(old)[0] == Settings()
    values = config.to_json(Settings())
    del values["architecture"]
    assert config.from_json(values) == Settings()


def test_settings_of_another_schema_are_refused_with_both_versions() -> None:
    with pytest.raises(ConfigError, match="99"):
        config.from_json(config.to_json(Settings()) | {"schema": 99})


@given(st.integers(1, 20), st.integers(0, 511), st.sampled_from(list(Axis)))
def test_a_link_reproduces_its_view(layer: int, unit: int, axis: Axis) -> None:
    view = View(layer, unit, axis)
    assert config.view_from_query(config.view_to_query(view)) == (view, [])


@given(st.dictionaries(st.sampled_from(config.VIEW_KEYS), st.text()))
def test_a_bad_view_in_a_link_falls_back_with_a_notice(query: dict[str, str]) -> None:
    view, notices = config.view_from_query(query)
    view.within(ModelConfig())
    assert len(notices) <= len(query)


def test_a_view_is_kept_within_the_model() -> None:
    assert View(layer=9, unit=400).within(ModelConfig(hidden_layers=2, width=50)) == View(layer=2, unit=49)


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), float("inf"), "9" * 5000, [1], None, True])
def test_no_value_whatever_it_is_causes_more_than_a_short_config_error(value: object) -> None:
    with pytest.raises(ConfigError) as error:
        LinearUnitConfig(start_1=value)  # type: ignore[arg-type]
    assert len(error.value.text) < 200


def test_a_view_asks_for_no_batch_or_step_that_there_cannot_be() -> None:
    view = View(batch=10**6, descent_step=10**6).within(ModelConfig())
    assert (view.batch, view.descent_step) == (7, 500)
    assert View(batch=-5, descent_step=-5).within(ModelConfig()) == View(batch=MEAN).within(ModelConfig())


# --- which networks ---------------------------------------------------------------------------------------------------


def test_networks_stand_in_one_order_whatever_the_order_they_are_named_in() -> None:
    settings, _ = config.from_query({"networks": "group,none,batch"})
    assert [one.name for one in config.lineup(settings.model)] == ["plain", "bn", "group"]
    assert config.to_query(settings)["networks"] == "none,batch,group"


@pytest.mark.parametrize(("old", "names"), [("twins", ["plain", "bn"]), ("noisy", ["plain", "bn", "noisy", "noise"])])
def test_links_and_files_that_say_which_lineup_are_read_as_before(old: str, names: list[str]) -> None:
    linked, notices = config.from_query({"lineup": old, "lr": "0.1"})
    assert not notices
    values = config.to_json(Settings())
    filed = config.from_json(
        {name: v for name, v in values.items() if name not in ("networks", "groups")} | {"lineup": old}
    )
    for settings in (linked, filed):
        assert [one.name for one in config.lineup(settings.model)] == names


def test_an_unheard_of_lineup_in_an_old_link_falls_back_with_a_notice() -> None:
    settings, notices = config.from_query({"lineup": "triplets"})
    assert settings == Settings()
    assert "triplets" in notices[0]


MAPS = {"architecture": "convolutional", "hidden_layers": 2, "width": 16}

BAD_TOGETHER = [
    ({"networks": ["batch", "group"], "groups": 7}, ["7 groups", "100 units", "GroupNorm", "1, 2, 4, 5, 10"]),
    (
        {"networks": ["none", "decorrelated"], "groups": 3},
        ["3 groups", "100 units", "decorrelated BN", "another width"],
    ),
    ({"networks": ["none", "group"], "width": 50}, ["4 groups", "50 units", "1, 2, 5, 10 or 25 groups"]),
    ({"networks": ["none", "group"], "groups": 100}, ["100 groups of one unit", "compare BN"]),
    (
        {"networks": ["none", "decorrelated"], "batch_size": 25},
        ["batch of 25", "25 units", "at least 26", "compare BN"],
    ),
    ({"networks": ["none", "decorrelated"], "batch_size": 1}, ["batch of 1 ", "at least 26", "LayerNorm"]),
    ({"architecture": "convolutional"}, ["hidden_layers = 3", "has 2", "Choose 2", "fully connected"]),
    (
        {**MAPS, "width": 64, "networks": ["none", "decorrelated"], "groups": 1, "batch_size": 4},
        ["batch of 4 ", "groups of 64 feature maps", "at least 5"],
    ),
]


@pytest.mark.parametrize(("changes", "said"), BAD_TOGETHER)
def test_what_does_not_go_together_is_refused_with_value_rule_and_remedy(changes: dict, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings().replace(**changes)
    for words in said:
        assert words in caught.value.text


@pytest.mark.parametrize(
    "changes",
    [
        {"networks": ["none", "decorrelated"], "batch_size": 26},
        {"networks": ["none", "group"], "groups": 50},
        {"networks": ["none", "layer"], "groups": 7},  # nobody has groups
        {"networks": ["none", "batch"], "batch_size": 1},  # a result, not an error
        {**MAPS, "networks": ["none", "decorrelated"], "batch_size": 1},  # sixteen positions
        {**MAPS, "networks": ["none", "group"], "groups": 16},  # one map a group: its positions have a variance
    ],
)
def test_what_goes_together_just_so_is_accepted(changes: dict) -> None:
    Settings().replace(**changes)


def test_a_link_whose_settings_do_not_go_together_keeps_the_others() -> None:
    settings, (notice,) = config.from_query({"networks": "none,group", "groups": "7", "lr": "0.1"})
    assert settings == Settings().replace(learning_rate=0.1)
    assert "do not divide" in notice


@pytest.mark.parametrize("network", Network)
def test_every_network_round_trips_and_has_a_competitor(network: Network) -> None:
    others = [one for one in Network if one is not network][:3]
    settings = Settings().replace(
        networks=(network, *others), groups=4, batch_size=60, dropout=0.3, training_images=500
    )
    assert config.from_query(config.to_query(settings)) == (settings, [])
    assert config.from_json(config.to_json(settings)) == settings
    assert config.networks_of(config.lineup(settings.model)) == settings.model.networks


def test_a_link_and_a_file_of_before_say_the_same_networks() -> None:
    old = ("none", "batch", "layer", "group", "weight", "renormalization", "decorrelated", "noisy_batch", "noise")
    assert tuple(Network)[: len(old)] == old
    settings, notices = config.from_query({"networks": "none,batch,noise"})
    assert (settings.model.networks, notices) == ((Network.NONE, Network.BATCH, Network.NOISE), [])
    assert (settings.model.training_images, settings.hyper.dropout) == (60_000, 0.5)


def test_a_batch_larger_than_the_training_set_is_refused_with_a_remedy() -> None:
    small = Settings().replace(training_images=100, batch_size=100)
    with pytest.raises(
        ConfigError, match="batch of 128 cannot be drawn from 100 training images: choose a batch of at"
    ):
        small.replace(batch_size=128)
    with pytest.raises(ConfigError, match="hold 5 of each: choose a batch of at most 10"):
        small.replace(sampling="two_classes")
    small.replace(sampling="two_classes", batch_size=10)
