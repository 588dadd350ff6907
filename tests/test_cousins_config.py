"""Settings of the paper's cousins and of the cost of BN: bounds in a table, links there and back, costs refused."""

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz import config
from bnviz.config import (
    BASE,
    BATCHES_TIMED,
    COST_SETTINGS,
    COUSINS_SETTINGS,
    FACTORS,
    PLAIN,
    SHAPES,
    TRIALS,
    WIDTHS_TIMED,
    Architecture,
    CostConfig,
    CousinsConfig,
    Nonlinearity,
    cost_from_query,
    cost_seconds,
    cost_to_query,
    cousins_from_query,
    cousins_seconds,
    cousins_to_query,
    factor_text,
    settings_of,
)
from bnviz.errors import ConfigError


@pytest.mark.parametrize(("kind", "table"), [(CousinsConfig, COUSINS_SETTINGS), (CostConfig, COST_SETTINGS)])
def test_every_field_has_exactly_one_row_in_its_table(kind: type, table: tuple[config.Setting, ...]) -> None:
    assert [one.name for one in table] == [one.name for one in dataclasses.fields(kind)]


def test_no_key_of_a_link_means_two_things() -> None:
    tables = (config.SETTINGS, COUSINS_SETTINGS, COST_SETTINGS, *(settings_of(one) for one in TRIALS))
    keys = [one.key for table in tables for one in table] + [*config.VIEW_KEYS, *config.LANDSCAPE_KEYS, "part"]
    assert len(set(keys)) == len(keys)


@given(st.sampled_from((200, 1000, 4000)), st.sampled_from((0.003, 0.03, 1.0)), st.integers(1, 6))
def test_a_link_gives_back_the_experiment_it_was_made_of(steps: int, rate: float, seeds: int) -> None:
    wanted = CousinsConfig(steps, rate, seeds)
    assert cousins_from_query(cousins_to_query(wanted)) == (wanted, [])


@given(st.sampled_from(list(Nonlinearity)), st.integers(1, 5), st.integers(3, 15))
def test_a_link_gives_back_the_timing_it_was_made_of(nonlinearity: Nonlinearity, layers: int, times: int) -> None:
    wanted = CostConfig(nonlinearity, layers, times)
    assert cost_from_query(cost_to_query(wanted)) == (wanted, [])


def test_the_conditions_are_a_grid_of_rates_and_the_papers_variants_are_among_them() -> None:
    conditions = CousinsConfig(learning_rate=0.03).conditions
    assert [one.settings.hyper.learning_rate for one in conditions] == [0.01, 0.03, 0.09, 0.15, 0.9, 0.15]
    assert {1.0, 5.0, 30.0} <= set(FACTORS)
    assert FACTORS[BASE] == 1
    assert [one.label for one in conditions] == ["÷ 3", "× 1", "× 3", "× 5", "× 30", "× 5, sigmoid"]
    assert factor_text(0.5) == "÷ 2"


def test_every_rate_that_can_be_asked_for_is_within_the_bounds_of_a_run() -> None:
    for rate in (0.003, 1.0):
        for one in CousinsConfig(learning_rate=rate, seeds=1).conditions:
            assert 0.001 <= one.settings.hyper.learning_rate <= 30


def test_the_mini_batches_are_those_of_section_4_2() -> None:
    settings = CousinsConfig().conditions[BASE].settings
    assert settings.hyper.batch_size == 32
    assert settings.hyper.momentum > 0
    assert settings.hyper.weight_decay == 0
    assert CousinsConfig().seeds == 6
    assert CousinsConfig().competitors[0] is PLAIN


def test_what_takes_too_long_is_refused_with_its_time_and_a_remedy() -> None:
    with pytest.raises(ConfigError, match=r"would take about \d+ minutes, more than 15: choose fewer steps or seeds"):
        CousinsConfig(steps=10_000, seeds=10)
    with pytest.raises(ConfigError, match=r"would take about \d+ s, more than 60: choose fewer repetitions or layers"):
        CostConfig(hidden_layers=5, repetitions=30)


def test_a_link_that_asks_for_too_much_falls_back_with_a_notice() -> None:
    asked = {"cousins-steps": "10000", "cousins-seeds": "10", "cousins-lr": "0.01"}
    found, notices = cousins_from_query(asked)
    assert found == CousinsConfig(learning_rate=0.01)
    assert len(notices) == 1
    found_cost, notices = cost_from_query({"cost-times": "30", "cost-depth": "5", "cost-g": "gelu"})
    assert found_cost == CostConfig(Nonlinearity.GELU)
    assert len(notices) == 1


@pytest.mark.parametrize("bad", [{"steps": 1}, {"learning_rate": 30}, {"seeds": 0}, {"steps": 300.5}])
def test_an_experiment_out_of_bounds_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        CousinsConfig(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [{"repetitions": 1}, {"hidden_layers": 0}, {"nonlinearity": "step"}])
def test_a_timing_out_of_bounds_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        CostConfig(**bad)  # type: ignore[arg-type]


def test_estimates_grow_with_what_they_are_of() -> None:
    one = CousinsConfig(steps=1000, seeds=1)
    assert cousins_seconds(replace(one, seeds=3)) == pytest.approx(3 * cousins_seconds(one))
    assert cousins_seconds(replace(one, steps=2000)) > cousins_seconds(one)
    assert cost_seconds(CostConfig(repetitions=15)) > cost_seconds(CostConfig())


@pytest.mark.parametrize("layers", [1, 5])
def test_every_network_that_is_timed_is_one_that_the_lab_would_take(layers: int) -> None:
    timed = CostConfig(hidden_layers=layers, repetitions=3)
    assert len(timed.places) == sum(len(WIDTHS_TIMED[shape]) for shape in SHAPES) * len(BATCHES_TIMED)
    for shape, width, batch in timed.places:
        model = timed.settings(shape, width, batch).model
        assert model.width == width
        assert model.hidden_layers == (layers if shape is Architecture.FULLY_CONNECTED else 2)
    assert len({len(one) for one in WIDTHS_TIMED.values()}) == 1
