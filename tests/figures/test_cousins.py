"""Charts, sentences, verdicts and table of the paper's cousins: what they say is what the record holds."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bnviz.config import FACTORS, TWINS, View
from bnviz.figures import FIGURES, sentence
from bnviz.figures.cousins_parts import (
    BASELINE,
    BN_BASELINE,
    BN_SIGMOID,
    BN_X5,
    BN_X30,
    NO_BN_SIGMOID,
    NO_BN_X5,
    NO_BN_X30,
    VARIANTS,
    Variant,
    best_accuracy,
    best_bn,
    best_rate,
    middle,
    of,
    steps_to_reach,
    steps_to_target,
    target_accuracy,
)
from bnviz.figures.cousins_words import TABLE, Answer, cousins_table, cousins_verdicts, fewer, higher
from bnviz.figures.numbers import percent, whole
from bnviz.records import Cousins
from bnviz.ui.charts import COUSINS_CHARTS
from bnviz.ui.texts import title_and_body
from tests.figures.made_up_cousins import cousins_of, run_with
from tests.figures.test_trials import is_sound

NAN, INF = float("nan"), float("inf")
STATES = {
    "whole": cousins_of(),
    "nothing": cousins_of(known=0),
    "one run": cousins_of(known=1),
    "two runs": cousins_of(known=2),
    "a seed": cousins_of(known=6),
    "one seed in all": cousins_of(seeds=1),
    "two seeds": cousins_of(seeds=2),
    "the baseline diverged": cousins_of(diverged=(0, 1)),
    "with BN diverged": cousins_of(diverged=(1, 1)),
    "x30 diverged": cousins_of(diverged=(0, 4)),
}


def spec_of(cousins: Cousins, name: str) -> dict[str, Any]:
    return FIGURES[name](run_with(cousins), View())


def traces(spec: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in spec["data"] if one["name"] == name]


def answers(cousins: Cousins) -> dict[str, Answer]:
    return {one.question: one.answer for one in cousins_verdicts(cousins)}


def with_accuracy(variant: Variant, accuracy: Any, cousins: Cousins | None = None) -> Cousins:
    """The same with other accuracies of one variant, [t] or [r, t]."""
    cousins = cousins_of() if cousins is None else cousins
    values = cousins.accuracy.copy()
    values[variant.k, variant.x] = accuracy
    return replace(cousins, accuracy=values)


# --- steps to reach ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        ([0.1, 0.5, 0.9, 0.95], 15.0),  # half way between the second moment and the third
        ([0.1, 0.7, 0.6, 0.95], 10.0),  # the first time counts, whatever comes after it
        ([0.8, 0.5, 0.9, 0.95], 0.0),  # from the beginning
        ([0.1, 0.5, 0.6, 0.65], INF),  # never
        ([0.1, 0.5, NAN, NAN], INF),  # diverged before
        ([0.1, 0.9, NAN, NAN], 7.5),  # diverged after
        ([NAN, NAN, NAN, NAN], NAN),  # not measured
        ([0.1, NAN, 0.7, 0.9], 20.0),  # over a gap
    ],
)
def test_steps_to_reach_an_accuracy_of_70_per_cent(accuracy: list[float], expected: float) -> None:
    found = steps_to_reach(np.array([0.0, 10.0, 20.0, 40.0]), np.array(accuracy), 0.7)
    assert found == pytest.approx(expected, nan_ok=True)


def test_without_a_target_nothing_is_reached_and_nothing_missed() -> None:
    assert math.isnan(steps_to_reach(np.array([0.0, 1.0]), np.array([0.1, 0.2]), NAN))


@pytest.mark.parametrize("seeds", range(1, 11))
def test_at_least_half_of_the_baselines_runs_reach_its_own_best_accuracy(seeds: int) -> None:
    cousins = cousins_of(seeds=seeds)
    steps = of(steps_to_target(cousins), BASELINE)
    assert np.isfinite(steps).sum() >= (seeds + 1) // 2
    assert np.isfinite(middle(steps))


def test_the_target_of_three_seeds_is_the_median_and_of_four_the_lower_one_in_the_middle() -> None:
    for seeds, place in ((3, 1), (4, 1), (6, 2)):
        cousins = cousins_of(seeds=seeds)
        best = np.sort(cousins.accuracy[BASELINE.k, BASELINE.x].max(axis=1))
        assert target_accuracy(cousins) == best[place]


def test_a_run_under_way_is_not_yet_said_to_miss_the_target() -> None:
    cousins = cousins_of(known=7)
    open_run = cousins.accuracy.copy()
    open_run[0, 2, 1, :5] = 0.2  # the third run of the second seed has begun
    found = steps_to_target(replace(cousins, accuracy=open_run))
    assert np.isnan(found[0, 2, 1])
    assert np.isinf(found[0, 4, 0])


def test_a_median_over_seeds_may_be_infinite_but_is_never_invented() -> None:
    assert middle(np.array([1.0, 2.0, INF])) == 2.0
    assert middle(np.array([1.0, INF, INF])) == INF
    assert middle(np.array([1.0, INF])) == INF
    assert middle(np.array([3.0, NAN])) == 3.0
    assert math.isnan(middle(np.array([NAN])))


# --- verdicts: data for both outcomes ---------------------------------------------------------------------------------


def test_fewer_is_decided_seed_by_seed() -> None:
    assert fewer(np.array([1.0, 2.0, 1.0]), np.array([4.0, 4.0, 4.0])) == (Answer.YES, "÷ 4.0, in 3 of 3 seeds")
    assert fewer(np.array([4.0, 4.0, 4.0]), np.array([1.0, 2.0, 1.0]))[0] is Answer.NO
    assert fewer(np.array([1.0, 1.02]), np.array([1.0, 1.0]))[0] is Answer.ALIKE
    assert fewer(np.array([1.0, 1.0, 9.0, 9.0]), np.array([6.0, 6.0, 6.0, 6.0]))[0] is Answer.UNDECIDED
    assert fewer(np.array([5.0, 6.0]), np.array([INF, INF])) == (Answer.YES, "only here, in 2 of 2 seeds")
    assert fewer(np.array([INF, INF]), np.array([5.0, 6.0])) == (Answer.NO, "never, in 2 of 2 seeds")
    assert fewer(np.array([INF, INF]), np.array([INF, INF]))[0] is Answer.UNDECIDED
    assert fewer(np.array([NAN]), np.array([1.0])) == (Answer.UNDECIDED, "")


def test_higher_wants_more_than_ten_test_images_and_most_seeds() -> None:
    low = np.full(3, 0.98)
    assert higher(low + 0.005, low) == (Answer.YES, "+0.50 points, in 3 of 3 seeds")
    assert higher(low - 0.005, low)[0] is Answer.NO
    assert higher(low + 0.0005, low)[0] is Answer.ALIKE
    assert higher(low + np.array([0.01, 0.002, -0.01, -0.02])[:3], low)[0] is Answer.YES
    assert higher(np.array([0.99, 0.984, 0.97, 0.9815, 0.97]), np.full(5, 0.98))[0] is Answer.UNDECIDED
    assert higher(np.array([NAN]), np.array([0.9])) == (Answer.UNDECIDED, "")


def test_the_same_rate_is_answered_by_the_twins_at_the_base_rate() -> None:
    cousins = cousins_of()
    assert answers(cousins)["same-rate"] is Answer.YES
    swapped = replace(cousins, accuracy=cousins.accuracy[::-1])
    assert answers(swapped)["same-rate"] is Answer.NO
    same = with_accuracy(BN_BASELINE, cousins.accuracy[BASELINE.k, BASELINE.x])
    assert answers(same)["same-rate"] is Answer.ALIKE


def test_higher_rates_pay_or_hurt_or_do_each_in_part() -> None:
    base = cousins_of().accuracy[BN_BASELINE.k, BN_BASELINE.x]
    ahead = 0.005 + np.concatenate([base[:, 6:], np.repeat(base[:, -1:], 6, axis=1)], axis=1)
    faster = with_accuracy(BN_X5, ahead, with_accuracy(BN_X30, ahead))
    assert answers(faster)["high-rate"] is Answer.YES
    slower = with_accuracy(BN_X5, base - 0.05, with_accuracy(BN_X30, base - 0.05))
    assert answers(slower)["high-rate"] is Answer.NO
    assert answers(with_accuracy(BN_X5, ahead, slower))["high-rate"] is Answer.MIXED


def test_rates_break_the_network_without_bn_or_do_not() -> None:
    at_chance = with_accuracy(NO_BN_X5, 0.1, with_accuracy(NO_BN_X30, 0.1))
    assert answers(at_chance)["no-bn"] is Answer.YES
    fine = with_accuracy(NO_BN_X5, 0.97, with_accuracy(NO_BN_X30, 0.97))
    assert answers(fine)["no-bn"] is Answer.NO
    assert answers(with_accuracy(NO_BN_X5, 0.97, at_chance))["no-bn"] is Answer.MIXED
    diverged = cousins_of(diverged=(0, 4))
    (told,) = [one.finding for one in cousins_verdicts(diverged) if one.question == "no-bn"]
    assert "diverged from 6 of 6 seeds" in told


def test_sigmoids_are_compared_and_chance_is_named() -> None:
    stuck = with_accuracy(NO_BN_SIGMOID, 0.1)
    (verdict,) = [one for one in cousins_verdicts(stuck) if one.question == "sigmoid"]
    assert verdict.answer is Answer.YES
    assert "stays near chance" in verdict.finding
    better = with_accuracy(BN_SIGMOID, 0.8)
    (verdict,) = [one for one in cousins_verdicts(better) if one.question == "sigmoid"]
    assert verdict.answer is Answer.NO
    assert "does not stay at chance" in verdict.finding


def test_best_tuned_takes_each_network_at_its_own_best_rate() -> None:
    cousins = cousins_of()
    assert [best_rate(cousins, k) for k in (0, 1)] == [1, 2]
    (verdict,) = [one for one in cousins_verdicts(cousins) if one.question == "tuned"]
    assert verdict.answer is Answer.YES
    assert "with BN at 0.09" in verdict.finding
    assert "without at 0.03" in verdict.finding
    assert answers(replace(cousins, accuracy=cousins.accuracy[::-1]))["tuned"] is Answer.NO


def test_compute_time_counts_what_a_step_costs() -> None:
    cousins = cousins_of()
    assert answers(cousins)["time"] is Answer.YES
    dear = cousins.step_milliseconds.copy()
    dear[1] *= 20
    (verdict,) = [one for one in cousins_verdicts(replace(cousins, step_milliseconds=dear)) if one.question == "time"]
    assert verdict.answer is Answer.NO
    assert "× 30" in verdict.finding
    untimed = replace(cousins, step_milliseconds=np.full_like(dear, np.nan))
    assert answers(untimed)["time"] is Answer.UNDECIDED


def test_an_ensemble_gains_or_does_not() -> None:
    cousins = cousins_of()
    assert answers(cousins)["ensemble"] is Answer.YES
    worse = replace(cousins, ensemble_accuracy=cousins.ensemble_accuracy - 0.05)
    assert answers(worse)["ensemble"] is Answer.NO
    alone = np.median(cousins.accuracy[..., -1], axis=2, keepdims=True)
    same = replace(cousins, ensemble_accuracy=np.broadcast_to(alone, cousins.ensemble_accuracy.shape))
    assert answers(same)["ensemble"] is Answer.ALIKE
    assert answers(cousins_of(seeds=1))["ensemble"] is Answer.UNDECIDED


def test_before_anything_is_measured_every_question_is_undecided() -> None:
    assert set(answers(cousins_of(known=0)).values()) == {Answer.UNDECIDED}


@pytest.mark.parametrize("state", STATES)
def test_every_verdict_reads_as_a_sentence_and_has_its_text(state: str) -> None:
    for one in cousins_verdicts(STATES[state]):
        assert "nan" not in one.finding
        assert "inf" not in one.finding
        assert one.finding.endswith(".") or not one.finding
        question, reported = title_and_body(f"asked-{one.question}")
        assert question.endswith("?")
        assert reported


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_papers_column_is_what_its_table_prints() -> None:
    """Ioffe & Szegedy 2015, Figure 3; shares of 31.0 million steps."""
    rows = {row[0]: row[4:] for row in cousins_table(cousins_of())}
    assert rows["baseline"] == ("31.0 M", "100 %", "72.2 %")
    assert rows["BN-baseline"] == ("13.3 M", "43 %", "72.7 %")
    assert rows["BN-x5"] == ("2.1 M", "7 %", "73.0 %")
    assert rows["BN-x30"] == ("2.7 M", "9 %", "74.8 %")
    assert rows["BN-x5-Sigmoid"] == ("never", "–", "69.8 %")


def test_the_table_has_medians_with_their_ends() -> None:
    cousins = cousins_of()
    rows = {row[0]: row[1:4] for row in cousins_table(cousins)}
    steps, best = of(steps_to_target(cousins), BN_BASELINE), 100 * of(best_accuracy(cousins), BN_BASELINE)
    assert rows["BN-baseline"][0] == f"{np.median(steps):,.0f} ({steps.min():,.0f}–{steps.max():,.0f})"
    assert rows["BN-baseline"][2] == f"{np.median(best):.2f} % ({best.min():.2f}–{best.max():.2f})"
    assert rows["x30, no BN"][:2] == ("never", "–")
    assert all(len(row) == len(TABLE) for row in cousins_table(cousins_of(known=0)))


# --- charts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", COUSINS_CHARTS)
def test_every_chart_is_a_valid_figure_however_much_is_measured(name: str, state: str) -> None:
    assert is_sound(spec_of(STATES[state], name))


@pytest.mark.parametrize("name", COUSINS_CHARTS)
def test_a_run_without_the_experiment_says_that_it_is_being_measured(name: str) -> None:
    run = run_with(cousins_of()).replace(study=None)
    (one,) = [note for note in FIGURES[name](run, View())["layout"]["annotations"] if note["name"] == "note"]
    assert one["text"].endswith(".")


def test_the_curves_are_the_median_error_of_every_variant_over_steps() -> None:
    cousins = cousins_of()
    spec = spec_of(cousins, "cousins-curves")
    for one in VARIANTS:
        (line,) = traces(spec, one.name)
        shown = cousins.steps >= 10
        expected = 100 * (1 - np.median(cousins.accuracy[one.k, one.x], axis=0))
        np.testing.assert_array_equal(line["x"], cousins.steps[shown])
        np.testing.assert_allclose(line["customdata"], expected[shown])
        assert line["line"]["color"] == f"@{one.competitor.name}"
    (reference,) = [shape for shape in spec["layout"]["shapes"] if shape["name"] == "reference"]
    assert reference["y0"] == pytest.approx(100 * (1 - target_accuracy(cousins)))


def labels(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [note for note in spec["layout"]["annotations"] if note["name"] == "end-label"]


def unit(spec: dict[str, Any]) -> str:
    (one,) = [note for note in spec["layout"]["annotations"] if note["name"] == "x-unit"]
    return str(one["text"])


def test_variants_of_one_network_are_told_apart_by_their_dashes() -> None:
    for competitor in TWINS:
        for looks in ("dash", "mark"):
            found = [getattr(one, looks) for one in VARIANTS if one.competitor is competitor]
            assert len(set(found)) == len(found) == 4
    marks = {one.dash: one.mark for one in VARIANTS}
    assert all(marks[one.dash] == one.mark for one in VARIANTS)


@pytest.mark.parametrize("name", ["cousins-curves", "cousins-time", "ensemble"])
def test_the_label_of_a_line_shows_how_the_line_is_drawn(name: str) -> None:
    texts = {label["text"].rsplit(">", 1)[-1].strip(): label["text"] for label in labels(spec_of(cousins_of(), name))}
    assert texts
    for one in VARIANTS:
        if one.name in texts:
            assert f'<span style="color:@{one.competitor.name}"><b>{one.mark}</b></span>' in texts[one.name]


@pytest.mark.parametrize("name", ["cousins-curves", "cousins-time"])
@pytest.mark.parametrize("state", ["whole", "two runs", "x30 diverged"])
def test_labels_stand_in_one_column_behind_every_line_and_are_led_to(name: str, state: str) -> None:
    spec = spec_of(STATES[state], name)
    end = spec["layout"]["xaxis"]["autorangeoptions"]["clipmax"]
    lines = {one["name"]: one for one in spec["data"] if one["name"] in {variant.name for variant in VARIANTS}}
    assert [10 ** label["x"] for label in labels(spec)] == pytest.approx([end] * len(lines), rel=1e-6)
    leads = {(lead["x0"], lead["x1"]) for lead in spec["layout"]["shapes"] if lead["name"] == "lead"}
    assert leads == {(one["x"][-1], end) for one in lines.values() if one["x"][-1] < end * (1 - 1e-6)}


def test_before_a_clock_was_held_to_any_network_the_axis_of_time_has_no_numbers() -> None:
    untimed = cousins_of()
    untimed.step_milliseconds[:] = NAN
    for cousins in (cousins_of(known=0), untimed):
        spec = spec_of(cousins, "cousins-time")
        assert spec["layout"]["xaxis"]["showticklabels"] is False
        assert [note["text"] for note in spec["layout"]["annotations"] if note["name"] == "note"]
    assert "showticklabels" not in spec_of(cousins_of(), "cousins-time")["layout"]["xaxis"]


def test_the_caption_of_the_curves_says_what_the_sentence_does_not() -> None:
    cousins = cousins_of()
    spec = spec_of(cousins, "cousins-curves")
    steps = steps_to_target(cousins)
    share = 100 * middle(of(steps, BN_BASELINE)) / middle(of(steps, BASELINE))
    assert f"BN-baseline {share:.0f}\N{NO-BREAK SPACE}%" in spec["layout"]["meta"]["finding"]
    assert whole(middle(of(steps, BN_BASELINE))) not in spec["layout"]["meta"]["finding"]
    assert unit(spec) == "steps"


def test_what_more_runs_may_change_is_said_to_be_so_far() -> None:
    for known, is_open in ((7, True), (None, False)):
        cousins = cousins_of(known=known)
        told = [sentence(run_with(cousins), View())]
        told += [spec_of(cousins, name)["layout"]["meta"]["finding"] for name in COUSINS_CHARTS[:4]]
        assert [("so far" in one) for one in told] == [is_open] * len(told)


def test_a_network_whose_softmax_outputs_are_not_asked_for_yet_is_no_member_of_its_ensemble() -> None:
    """Its last accuracy is measured a moment before."""
    for joined in (0, 1):
        cousins = cousins_of(seeds=2)
        cousins.ensemble_accuracy[:, :, joined:] = NAN
        assert is_sound(spec_of(cousins, "ensemble"))
        assert "2 networks" not in spec_of(cousins, "ensemble")["layout"]["meta"]["finding"]
        assert answers(cousins)["ensemble"] is Answer.UNDECIDED


def test_over_compute_time_every_variant_has_a_clock_of_its_own() -> None:
    cousins = cousins_of()
    spec = spec_of(cousins, "cousins-time")
    for one in (BASELINE, BN_X30):
        (line,) = traces(spec, one.name)
        step = np.median(cousins.step_milliseconds[one.k, one.x]) / 1e3
        assert line["x"][-1] == pytest.approx(1000 * step)
    assert unit(spec) == "seconds"


def test_a_row_has_every_seed_and_those_that_never_get_there_hollow_beyond_the_last_step() -> None:
    cousins = cousins_of()
    spec = spec_of(cousins, "cousins-reach")
    steps = of(steps_to_target(cousins), BASELINE)
    seeds = [one for one in traces(spec, "baseline, each seed") if one["xaxis"] == "x"]
    np.testing.assert_allclose(np.sort(seeds[0]["x"]), np.sort(steps[np.isfinite(steps)]))
    (never,) = [mark for mark in seeds if mark["hovertemplate"] == "never"]
    assert len(never["x"]) == np.isinf(steps).sum()
    assert never["x"].min() > cousins.config.steps
    assert never["marker"]["color"] == "@page"
    (lost,) = [one for one in traces(spec, NO_BN_X30.name) if one["xaxis"] == "x"]
    assert lost["hovertemplate"] == "never"
    (median,) = [one for one in traces(spec, "BN-baseline") if one["xaxis"] == "x2"]
    assert median["x"][0] == pytest.approx(100 * (1 - np.median(of(best_accuracy(cousins), BN_BASELINE))))


def test_what_the_paper_prints_stands_at_the_edge_of_its_row() -> None:
    spec = spec_of(cousins_of(), "cousins-reach")
    told = {one["y"]: one["text"] for one in spec["layout"]["annotations"] if one["name"] == "reported"}
    assert told[len(VARIANTS) - 1] == "31.0 M, 72.2 %"
    assert "machine infinity" in told[len(VARIANTS) - 1 - VARIANTS.index(NO_BN_X5)]


def test_the_rates_say_whether_the_base_rate_is_the_baselines_best() -> None:
    cousins = cousins_of()
    spec = spec_of(cousins, "cousins-rates")
    assert "is the baseline’s best" in spec["layout"]["meta"]["finding"]
    (line,) = [one for one in traces(spec, "without BN") if one.get("mode") == "lines+markers"]
    assert len(line["x"]) == len(FACTORS)
    better = with_accuracy(replace(BASELINE, x=2), 0.99)
    assert "is not the baseline’s best: × 3 is" in spec_of(better, "cousins-rates")["layout"]["meta"]["finding"]


def test_the_ensemble_is_of_the_baseline_and_of_the_best_variant_with_bn() -> None:
    cousins = cousins_of()
    assert best_bn(cousins) is BN_BASELINE
    spec = spec_of(cousins, "ensemble")
    for one in (BASELINE, BN_BASELINE):
        (line,) = traces(spec, one.name)
        np.testing.assert_allclose(line["y"], 100 * (1 - of(cousins.ensemble_accuracy, one)))
        np.testing.assert_array_equal(line["x"], np.arange(1, 7))
    assert best_bn(with_accuracy(BN_X30, 0.995)) is BN_X30


def test_of_an_ensemble_that_is_not_yet_measured_nothing_is_told() -> None:
    cousins = cousins_of()
    began = replace(cousins, ensemble_accuracy=np.full_like(cousins.ensemble_accuracy, np.nan))
    assert np.isfinite(began.accuracy).any()
    assert spec_of(began, "ensemble")["layout"]["meta"]["finding"] == ""


def test_the_sentence_has_the_steps_of_the_papers_variants() -> None:
    cousins = cousins_of()
    text = sentence(run_with(cousins), View())
    for one in VARIANTS[:5]:
        count = middle(of(steps_to_target(cousins), one))
        assert f"**{'never' if np.isinf(count) else whole(count)}** {one.name}" in text
    assert percent(target_accuracy(cousins)) in text
    for state in STATES.values():
        told = sentence(run_with(state), View())
        assert told.endswith(".")
        assert "nan" not in told
        assert "inf" not in told
