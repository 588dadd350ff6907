"""Which runs of the paper's Figure 1 are recorded: their settings are the paper's, and a link names each."""

import re

import pytest

from bnviz.config import (
    BY_KEY,
    FIGURE_ONE_KEYS,
    GRIDS,
    TWINS,
    VIEW_KEYS,
    FigureOneConfig,
    Settings,
    UpdateRule,
    figure_one_from_query,
    figure_one_of,
    figure_one_to_query,
    lineup,
    nearest_recorded,
    recorded_configs,
)
from bnviz.config.names import InputForm, Nonlinearity, Optimizer
from bnviz.errors import ConfigError

ALL = list(recorded_configs())


def test_every_run_is_recorded_once_under_a_name_of_its_own() -> None:
    assert len(ALL) == len(set(ALL)) == len({one.name for one in ALL})
    assert len(ALL) == sum(len(one.rates) * len(one.scales) * len(one.seeds) for one in GRIDS.values())
    assert all(re.fullmatch(r"[a-z]+-[0-9.]+-[0-9.]+-[0-9]+", one.name) for one in ALL)


@pytest.mark.parametrize("config", ALL, ids=lambda one: one.name)
def test_every_run_is_the_papers_but_for_what_the_paper_leaves_open(config: FigureOneConfig) -> None:
    """Section 4.1: three layers of 100 sigmoids, binary input, Gaussian weights, mini-batches of 60."""
    model, hyper = config.settings.model, config.settings.hyper
    assert (model.hidden_layers, model.width, model.nonlinearity) == (3, 100, Nonlinearity.SIGMOID)
    assert (model.input_form, model.initialization, hyper.batch_size) == (InputForm.BINARY, "gaussian", 60)
    assert lineup(model) == TWINS
    assert model.optimizer is (Optimizer.ADAM if config.rule is UpdateRule.ADAM else Optimizer.SGD)
    assert hyper.momentum == (0 if config.rule is UpdateRule.SGD else 0.9)
    assert hyper.learning_rate == config.learning_rate


def test_settings_lead_back_to_the_run_that_is_recorded_with_them() -> None:
    assert [figure_one_of(one.settings) for one in ALL] == ALL
    on_cpu = FigureOneConfig().settings.replace(device="cpu")
    assert figure_one_of(on_cpu) == FigureOneConfig()
    assert figure_one_of(Settings().replace(learning_rate=0.3)) is None
    assert figure_one_of(Settings().replace(width=50)) is None


@pytest.mark.parametrize("config", ALL, ids=lambda one: one.name)
def test_a_link_brings_back_what_it_was_made_of(config: FigureOneConfig) -> None:
    assert figure_one_from_query(figure_one_to_query(config)) == (config, [])


def test_a_link_shares_no_key_with_the_labs_settings_or_view() -> None:
    assert not set(FIGURE_ONE_KEYS) & ({*BY_KEY} | {*VIEW_KEYS})


@pytest.mark.parametrize(
    "query",
    [{"rate": "0.3"}, {"rate": "many"}, {"rule": "lbfgs"}, {"replica": "99"}, {"rule": "adam", "sigma": "0.01"}],
)
def test_a_link_to_what_is_not_recorded_falls_back_with_a_notice(query: dict[str, str]) -> None:
    config, (notice,) = figure_one_from_query(query)
    assert config == FigureOneConfig()
    assert notice.endswith("default is shown instead.")


@pytest.mark.parametrize(
    "values",
    [
        {"learning_rate": 0.3},
        {"init_scale": 0.1001},
        {"seed": 9},
        {"rule": "lbfgs"},
        {"rule": UpdateRule.ADAM, "learning_rate": 0.5},
    ],
)
def test_a_run_that_is_not_recorded_is_refused_with_what_there_is(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="choose one of"):
        FigureOneConfig(**values)  # type: ignore[arg-type]


def test_another_update_rule_takes_its_own_values_nearest_to_those_before() -> None:
    assert nearest_recorded(rule=UpdateRule.MOMENTUM, learning_rate=0.5, init_scale=0.01, seed=2) == FigureOneConfig(
        UpdateRule.MOMENTUM, 1.0, 0.1, 0
    )
    assert nearest_recorded(learning_rate=1e9).learning_rate == GRIDS[UpdateRule.SGD].rates[-1]
    assert all(nearest_recorded(**vars(one)) == one for one in ALL)


def test_replicas_differ_in_the_seed_alone() -> None:
    one = FigureOneConfig(learning_rate=2.0, seed=1)
    assert [each.seed for each in one.replicas] == [0, 1, 2]
    assert {(each.rule, each.learning_rate, each.init_scale) for each in one.replicas} == {("sgd", 2.0, 0.1)}
