"""The settings of sweeps: bounds, links and files there and back, cost, and which cells train as one computation."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz.config import (
    BY_NAME,
    RATE_AND_BATCH_SIZE,
    RATE_AND_SCALE,
    SETTINGS,
    SWEEP_KEYS,
    SWEEPABLE,
    SWEEPS,
    VIEW_KEYS,
    Choice,
    Network,
    Nonlinearity,
    Settings,
    SweepAxis,
    SweepCell,
    SweepConfig,
    batches,
    sweep_from_json,
    sweep_from_query,
    sweep_seconds,
    sweep_to_json,
    sweep_to_query,
)
from bnviz.errors import ConfigError

SMALL = {"learning_rate": (0.01, 0.1, 1.0, 30.0), "init_scale": (0.01, 0.5, 10.0), "batch_size": (2, 60, 128),
         "hidden_layers": (1, 3, 5), "width": (10, 50, 100), "nonlinearity": tuple(Nonlinearity),
         "training_images": (500, 2000, 60_000)}  # fmt: skip
NETWORKS = ((Network.NONE, Network.BATCH), (Network.NONE, Network.BATCH, Network.LAYER, Network.LSUV))


@st.composite
def sweeps(draw: st.DrawFn) -> SweepConfig:
    y, x = draw(st.lists(st.sampled_from(SWEEPABLE), min_size=2, max_size=2, unique=True))
    axes = [
        SweepAxis(name, tuple(draw(st.lists(st.sampled_from(SMALL[name]), min_size=1, unique=True)))) for name in (y, x)
    ]
    base = Settings().replace(networks=draw(st.sampled_from(NETWORKS)), seed=draw(st.integers(0, 999_999)))
    return SweepConfig(*axes, base, draw(st.integers(10, 200)), draw(st.integers(1, 3)))


# --- links and files --------------------------------------------------------------------------------------------------


@given(sweeps())
def test_a_link_gives_back_what_it_was_made_of(config: SweepConfig) -> None:
    assert sweep_from_query(sweep_to_query(config)) == (config, [])


@given(sweeps())
def test_a_file_gives_back_what_it_was_made_of(config: SweepConfig) -> None:
    assert sweep_from_json(sweep_to_json(config)) == config


@given(st.dictionaries(st.sampled_from([*SWEEP_KEYS, *(one.key for one in SETTINGS)]), st.text(max_size=30)))
def test_whatever_a_link_says_the_sweep_is_possible_and_every_fall_back_is_told(query: dict[str, str]) -> None:
    config, notices = sweep_from_query(query)
    assert sweep_from_query(sweep_to_query(config)) == (config, [])
    assert notices or all(sweep_to_query(config)[key] for key in query)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda one: st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(["setting", "values"]), one),
    ),
    st.sampled_from(["schema", "x", "y", "base", "steps", "seeds"]),
)
def test_a_damaged_file_is_refused_in_words(value: object, name: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(sweep_from_json(sweep_to_json(RATE_AND_SCALE) | {name: value}), SweepConfig)


def test_a_link_with_a_wrong_side_keeps_the_rest_with_a_notice() -> None:
    config, notices = sweep_from_query({"sweep-x": "seed:1,2", "sweep-steps": "200", "net": "fully_connected"})
    assert config == replace(RATE_AND_SCALE, steps=200)
    assert len(notices) == 1
    assert "sweep-x=seed:1,2" in notices[0]


def test_a_link_whose_map_the_networks_do_not_allow_falls_back_with_a_notice() -> None:
    config, notices = sweep_from_query({"sweep-x": "width:100,512", "layers": "10", "sweep-y": "batch:60,1024"})
    assert config == replace(RATE_AND_SCALE, base=Settings().replace(hidden_layers=10))
    assert len(notices) == 1
    assert "MB a checkpoint" in notices[0]


def test_no_key_of_a_sweep_means_anything_else() -> None:
    keys = [*SWEEP_KEYS, *(one.key for one in SETTINGS), *VIEW_KEYS]
    assert len(set(keys)) == len(keys)


# --- bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "values", "told"),
    [
        ("seed", (1, 2), "cannot be swept"),
        ("learning_rate", (), "has none of the values"),
        ("learning_rate", tuple(0.01 * n for n in range(1, 14)), "has more than 12 of the values"),
        ("learning_rate", (0.1, 0.10), "has a value twice"),
        ("learning_rate", (0.1, 31), "Learning rate = 31 is out of bounds"),
        ("width", (10.5,), "is not a whole number"),
        ("nonlinearity", ("swish",), "is not offered"),
        ("nonlinearity", "relu", "has a list of values"),
    ],
)
def test_a_side_of_the_map_has_the_bounds_of_its_setting(setting: str, values: tuple[object, ...], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        SweepAxis(setting, values)


def test_values_come_in_their_usual_order_and_in_their_own_type() -> None:
    assert SweepAxis("learning_rate", (1, 0.1)).values == (0.1, 1.0)
    assert SweepAxis("nonlinearity", ("relu", "sigmoid")).values == (Nonlinearity.SIGMOID, Nonlinearity.RELU)


def test_everything_that_can_be_swept_is_a_setting_with_single_values() -> None:
    assert all(isinstance(BY_NAME[one].domain, Choice) or BY_NAME[one].domain.grid for one in SWEEPABLE)  # type: ignore[union-attr]


def test_both_sides_cannot_be_the_same_setting() -> None:
    with pytest.raises(ConfigError, match="Both sides of this map are learning rate"):
        SweepConfig(y=SweepAxis("learning_rate", (1,)), x=SweepAxis("learning_rate", (2,)))


def test_a_cell_that_the_lab_would_refuse_is_named() -> None:
    with pytest.raises(ConfigError, match=r"The cell width 512, hidden layers 20 is not possible\. 20 layers of 512"):
        SweepConfig(
            y=SweepAxis("hidden_layers", (1, 20)),
            x=SweepAxis("width", (10, 512)),
            base=Settings().replace(batch_size=512),
        )


def test_what_takes_too_long_is_refused_with_its_time_and_a_remedy() -> None:
    with pytest.raises(ConfigError, match=r"64 cells with 10 seeds of 5,000 steps .* minutes, more than 60: choose"):
        SweepConfig(steps=5000, seeds=10)


def test_every_preset_is_a_few_minutes_of_one_core() -> None:
    assert all(60 < sweep_seconds(one) < 400 for one in SWEEPS.values())


# --- cells ------------------------------------------------------------------------------------------------------------


@given(sweeps())
def test_every_cell_is_a_run_of_the_lab_that_differs_in_the_sides_and_the_seed_alone(config: SweepConfig) -> None:
    seeds = set()
    for cell in config.cells:
        settings = config.settings_of(cell)
        assert settings.get(config.y.setting) == config.y.values[cell.row]
        assert settings.get(config.x.setting) == config.x.values[cell.column]
        back = {name: config.base.get(name) for name in (config.y.setting, config.x.setting, "seed")}
        assert settings.replace(**back) == config.base
        seeds.add(settings.model.seed)
    assert len(seeds) == config.seeds


@given(sweeps(), st.integers(1, 64))
def test_every_cell_is_in_exactly_one_batch(config: SweepConfig, networks: int) -> None:
    parts = list(batches(config, config.cells, networks))
    together = [cell for part in parts for cell in part]
    assert sorted(together, key=config.cells.index) == config.cells
    assert len(together) == len(set(together))
    most = max(networks // len(config.competitors), 1)
    assert all(1 <= len(part) <= most for part in parts)


@given(sweeps())
def test_cells_of_one_batch_share_all_but_learning_rate_and_initial_scale(config: SweepConfig) -> None:
    for part in batches(config, config.cells):
        alike = {config.settings_of(cell).replace(learning_rate=1.0, init_scale=1.0) for cell in part}
        assert len(alike) == 1  # the seed too, which draws the mini-batches


def test_the_map_fills_from_the_first_seed_before_any_cell_is_run_from_the_second() -> None:
    order = [part[0].seed for part in batches(RATE_AND_SCALE, RATE_AND_SCALE.cells)]
    assert order == sorted(order)


def test_cells_of_long_runs_train_alone() -> None:
    long = replace(RATE_AND_BATCH_SIZE, steps=5000, seeds=1, x=SweepAxis("learning_rate", (0.1, 0.2, 0.3, 0.5)))
    sizes = {part[0].row: len(part) for part in batches(long, long.cells)}
    assert sizes[0] == 2
    assert sizes[len(long.y) - 1] == 1


def test_the_first_seed_is_that_of_the_base_and_the_last_possible_one_is_followed_by_the_first() -> None:
    config = replace(RATE_AND_SCALE, base=Settings().replace(seed=999_999), seeds=2)
    assert [config.settings_of(SweepCell(0, 0, s)).model.seed for s in range(2)] == [999_999, 0]
