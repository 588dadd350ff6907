"""The linear unit's settings: bounds in one table, links there and back, what goes together refused with a remedy."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz import config
from bnviz.config import LINEAR_UNIT_SETTINGS, Choice, LinearUnitConfig, Number, Setting
from bnviz.errors import ConfigError

TOGETHER = ("batch_size", "samples", "start_1", "start_2")


def in_bounds(setting: Setting) -> st.SearchStrategy[Any]:
    match setting.domain:
        case Choice(kind):
            return st.sampled_from(list(kind))
        case Number(low, high, is_integer=True):
            return st.integers(int(low), int(high))
        case Number(low, high):
            return st.floats(low, high)


some_changes = st.fixed_dictionaries(
    {}, optional={one.name: in_bounds(one) for one in LINEAR_UNIT_SETTINGS if one.name not in TOGETHER}
)


def test_every_field_has_exactly_one_row_in_the_table() -> None:
    assert [one.name for one in dataclasses.fields(LinearUnitConfig)] == [one.name for one in LINEAR_UNIT_SETTINGS]


def test_no_key_of_a_link_means_two_things() -> None:
    tables = (config.SETTINGS, config.UNTRAINED_SETTINGS, LINEAR_UNIT_SETTINGS)
    keys = [one.key for table in tables for one in table] + [*config.VIEW_KEYS, *config.LANDSCAPE_KEYS]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("setting", LINEAR_UNIT_SETTINGS, ids=lambda s: s.name)
def test_every_default_and_every_slider_stop_is_allowed(setting: Setting) -> None:
    default = getattr(LinearUnitConfig(), setting.name)
    setting.check(default)
    if isinstance(setting.domain, Number) and setting.domain.grid:
        grid = setting.domain.grid
        assert list(grid) == sorted(set(grid))
        assert (grid[0], grid[-1]) == (setting.domain.low, setting.domain.high)
        assert default in grid


@given(some_changes)
def test_a_link_reproduces_the_unit(changes: dict[str, Any]) -> None:
    wanted = LinearUnitConfig(**changes)
    read, notices = config.linear_unit_from_query(config.linear_unit_to_query(wanted))
    assert not notices
    for setting in LINEAR_UNIT_SETTINGS:
        value = getattr(wanted, setting.name)
        if isinstance(value, float):
            value = pytest.approx(value, rel=1e-9, abs=1e-300)
        assert getattr(read, setting.name) == value


def test_the_default_needs_no_link() -> None:
    assert config.linear_unit_to_query(LinearUnitConfig()) == {}


@given(
    st.dictionaries(
        st.sampled_from([s.key for s in LINEAR_UNIT_SETTINGS]),
        st.text() | st.floats().map(str) | st.integers().map(str),
    )
)
def test_whatever_a_link_says_the_unit_is_within_bounds(query: dict[str, str]) -> None:
    read, notices = config.linear_unit_from_query(query)
    LinearUnitConfig(**dataclasses.asdict(read))
    assert all(notices)


@pytest.mark.parametrize(
    ("key", "text", "name"),
    [
        ("wrho", "1", "correlation"),
        ("ws1", "0", "std_1"),
        ("wm1", "nan", "mean_1"),
        ("wrate", "-1", "learning_rate"),
        ("wkind", "cholesky", "whitening"),
        ("wrule", "", "rate_rule"),
        ("wsteps", "1e9", "steps"),
    ],
)
def test_a_bad_value_in_a_link_falls_back_with_a_notice_that_names_it(key: str, text: str, name: str) -> None:
    read, (notice,) = config.linear_unit_from_query({key: text, "wseed": "7"})
    assert read == LinearUnitConfig(seed=7)
    assert f"{key}={text}" in notice
    assert next(one for one in LINEAR_UNIT_SETTINGS if one.name == name).domain.rule in notice


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correlation": 1.0}, r"Correlation = 1.0 is out of bounds: choose a number from -0.99 to 0.99"),
        ({"std_2": 0.0}, r"Std. dev. of x₂ = 0.0 .*from 0.1 to 100"),
        ({"batch_size": 64, "samples": 50}, r"batch of 64 is more than the 50 samples .*smaller batch or more samples"),
        ({"start_1": 0.0, "start_2": 0.001}, r"\(0, 0.001\) is the minimum .*at least 0.01"),
        ({"steps": True}, "Steps drawn = True is not a number"),
        ({"whitening": "cholesky"}, "one of pca, zca"),
    ],
)
def test_what_cannot_be_is_refused_with_value_rule_and_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LinearUnitConfig(**changes)


def test_a_link_whose_values_do_not_go_together_keeps_the_others() -> None:
    read, (notice,) = config.linear_unit_from_query({"wbatch": "256", "wn": "20", "wrho": "0.5"})
    assert read == LinearUnitConfig(correlation=0.5)
    assert "256" in notice
    assert "20 samples" in notice
