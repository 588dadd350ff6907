"""Stills: what is recorded, drawn by the server. That they look as Plotly draws is in tests/browser/test_stills.py."""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from bnviz.config import View
from bnviz.figures import FIGURES
from bnviz.figures.chart import base_axis, value_axis
from bnviz.figures.theme import TOKENS, follow_theme
from bnviz.live.still_plot import path, shares, still_plot, tick_text, ticks
from bnviz.live.stills import marked, still_card, stills
from bnviz.records import Badge, Run
from tests.figures import made_up_runs as made_up
from tests.figures.test_every_figure import runs, views

VOID = {"br"}


class Checker(HTMLParser):
    """Whether every element that is opened is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def is_well_formed(html: str) -> bool:
    checker = Checker()
    checker.feed(html)
    checker.close()
    return not checker.open


@pytest.mark.slow
@given(runs(), views)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_chart_of_every_run_has_a_still_or_none(run: Run, view: View) -> None:
    for name, figure in FIGURES.items():
        card = still_card(name, figure(run, view))
        assert is_well_formed(card), name
        assert "@" not in card, name
        assert "nan" not in re.sub(r"[\w-]*[a-z]nan|nan[a-z]", "", card), name


def test_charts_of_lines_have_stills_and_others_have_none() -> None:
    run = made_up.a_run(60, has_gradients=True, has_contour=True)
    have = {name for name, figure in FIGURES.items() if still_card(name, figure(run, View()))}
    assert {"accuracy", "drift-bands", "loss"} <= have
    assert have.isdisjoint({"density", "loss-contour", "landscape", "health"})


@pytest.mark.parametrize(
    "changes",
    [{"line": {"color": "@bn", "width": 2, "dash": "dot"}}, {"mode": "markers"}, {"type": "bar"}],
    ids=["dashes", "points", "bars"],
)
def test_a_chart_of_which_a_still_would_show_another_picture_has_none(changes: dict[str, Any]) -> None:
    spec = FIGURES["accuracy"](made_up.a_run(60), View())
    assert still_card("accuracy", spec)
    spec["data"][0] |= changes
    assert still_card("accuracy", spec) == ""


def test_a_still_says_what_its_card_will_say() -> None:
    run = made_up.a_run(60, badge=Badge.RECORDED)
    meta = FIGURES["accuracy"](run, View())["layout"]["meta"]
    card = still_card("accuracy", FIGURES["accuracy"](run, View()))
    assert "<h3>Test accuracy</h3>" in card
    assert 'data-kind="recorded">recorded<' in card
    assert marked(meta["finding"]) in card


def test_stills_are_for_eyes_alone_and_no_more_than_a_row_of_them() -> None:
    html = stills(made_up.a_run(60), View(), ("accuracy", "drift-bands", "loss"))
    assert 'class="bnviz-live bnviz-stills" aria-hidden="true"' in html
    assert html.count("bnviz-plot") == 2
    assert is_well_formed(html)


def test_a_card_without_a_still_keeps_its_place() -> None:
    html = stills(made_up.a_run(60), View(), ("density", "accuracy"))
    assert html.index("bnviz-card-density") < html.index("bnviz-card-accuracy")
    assert html.count("bnviz-plot") == 1


def test_where_no_chart_is_of_lines_there_is_nothing() -> None:
    assert stills(made_up.a_run(60, has_contour=True), View(), ("density", "loss-contour")) == ""


def test_marks_become_elements_and_nothing_else_does() -> None:
    light, dark = (TOKENS[theme]["bn"] for theme in ("light", "dark"))
    swatch = f'<span style="color:light-dark({light},{dark})">●</span>'
    assert marked("**93 %** {bn} with BN") == f"<b>93 %</b> {swatch} with BN"
    assert marked("<script>{nobody}</script> & **") == "&lt;script&gt;{nobody}&lt;/script&gt; &amp; **"


def test_roles_follow_the_pages_theme() -> None:
    assert follow_theme("color:@page") == "color:light-dark(#FFFFFF,#12161B)"
    assert follow_theme("@bn/0.5") == "light-dark(rgba(0, 114, 178, 0.5),rgba(86, 180, 233, 0.5))"
    with pytest.raises(KeyError):
        follow_theme("@nobody")


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (70, 100, 6, [70, 80, 90, 100]),
        (-3, 3, 6, [-2, 0, 2]),
        (0, 50_000, 8, [0, 10_000, 20_000, 30_000, 40_000, 50_000]),
        (0, 1500, 3, [0, 1000]),
        (0, 0.07, 6, [0, 0.02, 0.04, 0.06]),
    ],
)
def test_ticks_stand_where_plotly_sets_them(low: float, high: float, count: int, expected: list[float]) -> None:
    assert ticks(value_axis("x", low, high, nticks=count)) == pytest.approx(expected)


def test_logarithmic_axes_have_ticks_at_decades_and_named_ones_where_they_are_named() -> None:
    assert ticks(base_axis("y", 1, 50_000, type="log", dtick=1)) == [1, 10, 100, 1000, 10_000]
    named = base_axis("y", 0, 3, tickvals=[1, 2], ticktext=["one", "two"])
    assert [tick_text(named, value) for value in ticks(named)] == ["one", "two"]


def test_numbers_read_as_plotly_writes_them() -> None:
    thousands, short = base_axis("y", 0, 1, tickformat=",.12~g"), base_axis("y", 0, 1, tickformat="~s")
    assert [tick_text(thousands, one) for one in (0, 1500, 0.2, -2)] == ["0", "1,500", "0.2", "−2"]
    assert [tick_text(short, one) for one in (0, 500, 1500, 10_000)] == ["0", "500", "1.5k", "10k"]


def test_places_on_an_axis_run_from_its_beginning_to_its_end() -> None:
    assert shares(base_axis("y", 10, 30), np.array([10, 15, 30, np.nan])) == pytest.approx(
        [0, 0.25, 1, np.nan], nan_ok=True
    )
    log = base_axis("y", 1, 100, type="log")
    assert shares(log, np.array([1, 10, 100, 0])) == pytest.approx([0, 0.5, 1, np.nan], nan_ok=True)


def test_labels_on_a_logarithmic_axis_stand_at_their_lines_ends() -> None:
    run = made_up.a_run(60)
    spec = FIGURES["loss"](run, View())
    label = next(one for one in spec["layout"]["annotations"] if one.get("name") == "end-label")
    (share,) = shares(spec["layout"]["yaxis"], np.array([10 ** label["y"]]))
    assert 0 <= share <= 1
    assert f"*{1 - share:.5g})" in still_plot(spec)


def test_a_path_breaks_at_gaps_and_stands_still_where_nothing_moves() -> None:
    assert path([(0, 5), (3, 7), (3, 7), (4, 6)]) == "M0 5l3 2 1 -1"
    assert path([None, (0, 1), None, (5, 5), (6, 4), None, (8, 8), (9, 9)]) == "M5 5l1 -1M8 8l1 1"
    assert path([]) == ""
