"""The experiments' settings: bounds in one table, links there and back, what takes too long refused with a remedy."""

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz import config
from bnviz.config import (
    BATCH_SIZES,
    DEPTH_SETTINGS,
    LEARNING_RATES,
    TRIALS,
    TRIALS_SETTINGS,
    Connections,
    DepthConfig,
    Equal,
    Experiment,
    TrialsConfig,
    settings_of,
    trials_from_query,
    trials_seconds,
    trials_to_query,
)
from bnviz.errors import ConfigError


def test_every_field_has_exactly_one_row_in_the_table() -> None:
    assert {one.name for one in dataclasses.fields(TrialsConfig)} == {
        "experiment",
        *(one.name for one in TRIALS_SETTINGS),
    }
    assert {one.name for one in DEPTH_SETTINGS} == {one.name for one in dataclasses.fields(DepthConfig)}


def test_no_key_of_a_link_means_two_things() -> None:
    tables = (config.SETTINGS, config.UNTRAINED_SETTINGS, DEPTH_SETTINGS, *(settings_of(one) for one in TRIALS))
    keys = [one.key for table in tables for one in table] + [*config.VIEW_KEYS, *config.LANDSCAPE_KEYS]
    assert len(set(keys)) == len(keys)


def test_every_experiment_has_a_default_of_its_own() -> None:
    assert all(one.experiment is experiment for experiment, one in TRIALS.items())


@given(
    st.sampled_from(list(TRIALS)), st.sampled_from((100, 500, 1500)), st.integers(1, 3), st.sampled_from((0.01, 0.1, 3))
)
def test_a_link_gives_back_what_it_was_made_of(experiment: Experiment, steps: int, seeds: int, rate: float) -> None:
    wanted = replace(TRIALS[experiment], steps=steps, seeds=seeds)
    if "learning_rate" in {one.name for one in settings_of(experiment)}:
        wanted = replace(wanted, learning_rate=rate)
    assert trials_from_query(experiment, trials_to_query(wanted)) == (wanted, [])


def test_a_link_of_one_experiment_says_nothing_of_another() -> None:
    query = trials_to_query(replace(TRIALS[Experiment.BATCH_SIZE], learning_rate=1.0))
    assert trials_from_query(Experiment.TEST_TIME, query) == (TRIALS[Experiment.TEST_TIME], [])


def test_with_equal_images_every_batch_size_sees_as_many_of_them() -> None:
    same = TrialsConfig(Experiment.BATCH_SIZE, Equal.IMAGES, images=2048, seeds=1)
    seen = [one.steps * one.settings.hyper.batch_size for one in same.conditions]
    assert seen == [2048] * len(BATCH_SIZES)


def test_with_equal_steps_every_batch_size_takes_as_many_of_them() -> None:
    assert {one.steps for one in TrialsConfig(steps=300).conditions} == {300}


def test_conditions_differ_in_what_their_experiment_is_about_alone() -> None:
    for experiment, name in (
        (Experiment.BATCH_SIZE, "batch_size"),
        (Experiment.MINI_BATCHES, "sampling"),
        (Experiment.INITIALIZATION, "learning_rate"),
        (Experiment.DROPOUT, "training_images"),
    ):
        settings = [one.settings for one in TRIALS[experiment].conditions]
        values = [one.get(name) for one in settings]
        assert len(set(values)) == len(values)
        assert {one.replace(**{name: values[0]}) for one in settings} == {settings[0]}


def test_where_learning_rates_are_the_conditions_none_is_a_setting() -> None:
    assert "learning_rate" not in {one.name for one in settings_of(Experiment.INITIALIZATION)}
    for rate in (0.05, 3.0):
        conditions = replace(TRIALS[Experiment.INITIALIZATION], learning_rate=rate).conditions
        assert [one.settings.hyper.learning_rate for one in conditions] == list(LEARNING_RATES)
    found = trials_from_query(Experiment.INITIALIZATION, {"initialization-lr": "0.3"})
    assert found == (TRIALS[Experiment.INITIALIZATION], [])


def test_initializations_are_compared_in_ten_layers_and_each_has_its_own_but_bn() -> None:
    config_ = TRIALS[Experiment.INITIALIZATION]
    assert {one.settings.model.hidden_layers for one in config_.conditions} == {10}
    model = config_.conditions[0].settings.model
    assert [str(one.starts_from(model).initialization) for one in config_.competitors] == [
        "he", "lsuv", "orthogonal", "he", "glorot",
    ]  # fmt: skip


def test_what_takes_too_long_is_refused_with_its_time_and_a_remedy() -> None:
    with pytest.raises(ConfigError, match=r"would take about \d+ minutes, more than 15: choose fewer steps or seeds"):
        TrialsConfig(Experiment.BATCH_SIZE, steps=5000, seeds=10)
    with pytest.raises(ConfigError, match="fewer images or seeds"):
        TrialsConfig(Experiment.BATCH_SIZE, Equal.IMAGES, images=48_000, seeds=10)


def test_a_link_that_asks_for_too_much_falls_back_with_a_notice() -> None:
    found, notices = trials_from_query(
        Experiment.BATCH_SIZE, {"batch_size-steps": "5000", "batch_size-seeds": "10", "batch_size-lr": "0.2"}
    )
    assert found == replace(TRIALS[Experiment.BATCH_SIZE], learning_rate=0.2)
    assert len(notices) == 1


@pytest.mark.parametrize("bad", [{"learning_rate": 0}, {"seeds": 0}, {"steps": 1.5}, {"nonlinearity": "step"}])
def test_a_value_out_of_bounds_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        TrialsConfig(**bad)  # type: ignore[arg-type]


def test_the_estimate_grows_with_steps_and_seeds() -> None:
    one = TrialsConfig(steps=500, seeds=1)
    assert trials_seconds(replace(one, seeds=3)) == pytest.approx(3 * trials_seconds(one))
    assert trials_seconds(replace(one, steps=1000)) > trials_seconds(one)


@pytest.mark.parametrize(("experiment", "seconds"), [(Experiment.INITIALIZATION, 30.5), (Experiment.DROPOUT, 64.2)])
def test_the_estimate_is_near_what_a_seed_took(experiment: Experiment, seconds: float) -> None:
    """Wall time on one thread of a slow machine, with something else on its other core."""
    assert trials_seconds(replace(TRIALS[experiment], seeds=1)) == pytest.approx(seconds, rel=0.2)


def test_the_four_deep_networks_differ_in_their_connections_alone() -> None:
    config_ = DepthConfig(depth=7, width=32, seed=5)
    plain, residual = (config_.network(one) for one in Connections)
    assert replace(plain, connections=Connections.RESIDUAL) == residual
    assert (plain.depth, plain.width, plain.seed) == (7, 32, 5)


def test_a_deep_network_that_takes_too_long_is_refused_with_a_remedy() -> None:
    with pytest.raises(ConfigError, match="choose fewer layers or a smaller width"):
        DepthConfig(depth=100, width=512)
