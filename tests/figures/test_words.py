"""What the page says about a run, in words and numbers computed from it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from bnviz.config import BN, PLAIN, Axis, View
from bnviz.figures import FIGURES, sentence
from bnviz.figures.labels import spread
from bnviz.figures.numbers import alike, log_ticks, nice_at_least, nice_at_most, number, percent
from bnviz.records import Badge, Health, Intervention, Run
from tests.figures import made_up_runs as made_up

LEARNING_RATE = Intervention(600, "learning_rate", 0.5, 2.0)


def said(run: Run, view: View = View()) -> str:  # noqa: B008 (frozen)
    return sentence(run, view).replace("\N{NO-BREAK SPACE}", " ")


def with_ends(accuracy: tuple[float, float], moved: tuple[float, float], **options: object) -> Run:
    """A run of 240 steps with these newest values in layer 3."""
    run = made_up.a_run(20, steps=240, **options)  # type: ignore[arg-type]
    history = run.history
    newest, distance = history.accuracy.copy(), history.net_displacement.copy()
    newest[-1], distance[-1, :, 2] = accuracy, moved
    return run.replace(history=replace(history, accuracy=newest, net_displacement=distance))


def test_the_sentence_says_accuracy_and_movement() -> None:
    assert said(with_ends((0.51, 0.89), (1.2, 0.3))) == (
        "After 240 steps: {bn} **89 %** with BN, {plain} **51 %** without. "
        "Layer 3’s inputs have moved 1.2 without BN, 0.3 with it."
    )


def test_no_winner_is_written_into_the_sentence() -> None:
    assert said(with_ends((0.95, 0.75), (0.1, 0.4))) == (
        "After 240 steps: {bn} **75 %** with BN, {plain} **95.0 %** without. "
        "Layer 3’s inputs have moved 0.10 without BN, 0.40 with it."
    )


def test_swapping_the_twins_swaps_the_sentence() -> None:
    run = with_ends((0.51, 0.89), (1.2, 0.3))
    swapped = run.replace(history=replace(run.history, competitors=(BN, PLAIN)))
    assert said(swapped) == (
        "After 240 steps: {plain} **89 %** without BN, {bn} **51 %** with it. "
        "Layer 3’s inputs have moved 1.2 with BN, 0.3 without."
    )


def test_the_last_intervention_is_told() -> None:
    run = with_ends((0.5, 0.9), (1.2, 0.3), interventions=(replace(LEARNING_RATE, step=100),))
    assert said(run).endswith("Learning rate 0.5 → 2 at step 100.")


def test_before_there_are_data_the_sentence_says_what_play_does() -> None:
    assert said(made_up.a_run(0)).startswith("Press Play")


def test_at_step_0_nothing_has_moved() -> None:
    text = said(made_up.a_run(1))
    assert text == "At step 0, from the same weights: {bn} **10 %** with BN, {plain} **10 %** without."


def test_a_recorded_run_says_so() -> None:
    assert said(with_ends((0.5, 0.9), (1, 1), badge=Badge.RECORDED)).startswith("Recorded run, after 240 steps: ")


def test_a_stalled_network_is_named_with_its_step() -> None:
    run = with_ends((0.1, 0.9), (1, 1), health=(made_up.stalled(200), Health()))
    assert "{plain} **10 %** without (stalled since step 200)." in said(run)


@pytest.mark.parametrize(
    ("health", "where"),
    [
        (made_up.diverged(412, 2, "weights"), "at step 412, where layer 2’s weights went non-finite first."),
        (made_up.diverged(412, 4, "gradient"), "at step 412, where the output layer’s gradient went non-finite first."),
        (made_up.diverged(1412, None, "loss"), "at step 1,412, where the loss went non-finite."),
    ],
)
def test_a_diverged_network_is_named_with_layer_what_and_step(health: Health, where: str) -> None:
    run = made_up.a_run(60, stopped_at=20, health=(health, Health()))
    text = said(run)
    assert f"{{plain}} **Diverged** without BN {where}" in text
    assert text.startswith("After 1,500 steps: {bn} **9")
    assert "without." not in text  # its accuracy is no longer compared
    assert "have moved 0.80 with BN." in text


def test_when_both_diverged_the_sentence_names_both_and_the_remedy() -> None:
    run = made_up.a_run(60, stopped_at=20, health=(made_up.diverged(3, 1), made_up.diverged(7, 3, "inputs")))
    run = run.replace(history=made_up.stop(run.history, 1, 25))
    assert said(run) == (
        "Both networks diverged: {plain} without BN at step 3, where layer 1’s weights went non-finite first; "
        "{bn} with BN at step 7, where layer 3’s inputs went non-finite first. "
        "Reset starts again from the same weights."
    )


# --- findings ---------------------------------------------------------------------------------------------------------


def finding(name: str, run: Run, view: View = View()) -> str:  # noqa: B008 (frozen)
    text: str = FIGURES[name](run, view)["layout"]["meta"]["finding"]
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_the_accuracy_finding_names_the_first_point_at_or_above_the_best_mark() -> None:
    run = made_up.a_run(61)
    accuracy = np.full((61, 2), 0.2, np.float32)
    accuracy[20:, 1], accuracy[40:, 0] = 0.91, 0.90
    run = run.replace(history=replace(run.history, accuracy=accuracy))
    assert finding("accuracy", run) == "90 % reached by step 500 with BN, by 1,000 without"
    assert finding("accuracy", run, View(axis=Axis.IMAGES)) == (
        "90 % reached after 30,000 images with BN, after 60,000 without"
    )
    accuracy[:, 0] = 0.2
    assert finding("accuracy", run) == "90 % reached by step 500 with BN, not yet without"
    failed = run.replace(status=replace(run.status, health=(made_up.diverged(700), Health())))
    assert finding("accuracy", failed) == "90 % reached by step 500 with BN, never without"
    accuracy[:] = 0.2
    assert finding("accuracy", run) == "50 % not reached yet"


def test_the_loss_finding_names_the_lowest_mark_reached() -> None:
    run = made_up.a_run(61)
    loss = np.full((61, 2), 2.3, np.float32)
    loss[12:, 0] = 0.48
    run = run.replace(history=replace(run.history, loss=loss))
    assert finding("loss", run) == "0.5 reached by step 300 without BN, not yet with it"


def test_the_other_findings_read_the_record() -> None:
    run = made_up.a_run(60)
    assert finding("drift-distance", run).startswith("farthest: 3.2 in layer 3 without BN, 0.8 in layer 3 with it")
    assert finding("drift-bands", run).startswith("median went from")
    assert finding("density", run).startswith("middle 90 % now spans 5.6 without BN, 5.6 with it")
    assert finding("gradient-histogram", run).startswith("standard deviation 0.00")
    assert finding("health", run).startswith("most saturated: 79 % (layer 3) without BN, 20 % (layer 3) with it")


def test_the_span_of_the_middle_ninety_per_cent_is_that_of_the_gaussian_it_is() -> None:
    """3.29 standard deviations; the made-up plain network's is 0.5 + 1.2 (1 - e^-5) = 1.692."""
    assert "5.6 without BN" in finding("density", made_up.a_run(60))
    assert pytest.approx(5.57, abs=0.05) == 2 * 1.6449 * 1.692


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (3.14159, "3.1"), (-0.052, "−0.052"), (1234.5, "1,234"), (99.96, "100"), (0.0036, "0.0036"),
        (3.6e-5, "3.6×10⁻⁵"), (-4e30, "−4.0×10³⁰"), (float("nan"), "not finite"), (float("inf"), "not finite"),
    ],
)  # fmt: skip
def test_numbers_have_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((1.2, 0.31), ["1.2", "0.3"]),
        ((0.39, 0.13), ["0.39", "0.13"]),
        ((80.0, 0.0094), ["80", "0.0094"]),
        ((0.3, -2.8, 0.04, -1.1), ["0.3", "−2.8", "0.0", "−1.1"]),
        ((-0.04, 3.0), ["0.0", "3.0"]),
        ((0.0, 0.0), ["0", "0"]),
    ],
)
def test_numbers_that_are_compared_look_alike(values: tuple[float, ...], texts: list[str]) -> None:
    assert alike(values) == texts


def test_per_cent_does_not_break_from_its_number() -> None:
    assert percent(0.9312) == "93.1\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("value", "below", "above"), [(0.7, 0.5, 1), (1, 1, 1), (2, 2, 2), (3, 2, 5), (0.013, 0.01, 0.02)]
)
def test_nice_ends(value: float, below: float, above: float) -> None:
    assert nice_at_most(value) == pytest.approx(below)
    assert nice_at_least(value) == pytest.approx(above)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.005, 0.05, [0.005, 0.01, 0.02, 0.05]), (0.001, 0.2, [0.001, 0.01, 0.1]), (1e-9, 1e9, [1e-9, 1e-4, 10, 1e6])],
)
def test_log_ticks_are_round_and_few(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high, most=4) == pytest.approx(ticks)


@pytest.mark.parametrize("wanted", [[50, 50], [50, 60, 55], [0, 100], [10, 10, 10, 90]])
def test_labels_are_pushed_apart_as_little_as_possible(wanted: list[float]) -> None:
    heights = [20.0] * len(wanted)
    centres = spread(wanted, heights)
    ordered = sorted(centres)
    assert all(b - a >= 20 - 1e-9 for a, b in pairwise(ordered))
    assert sum(centres) == pytest.approx(sum(wanted))  # each heap stays around the mean of its wishes
    assert np.argsort(centres, kind="stable").tolist() == np.argsort(wanted, kind="stable").tolist()


def test_a_network_that_fell_far_below_its_best_or_lost_its_units_is_named_with_where_and_how_much() -> None:
    run = made_up.a_run(points=10)
    accuracy, dead = run.history.accuracy.copy(), run.history.dead.copy()
    accuracy[:, 1], accuracy[4, 1], accuracy[-1, 1] = 0.5, 0.9, 0.4
    dead[-1, 1] = [0.0, 0.1, 0.8]
    hurt = run.replace(history=replace(run.history, accuracy=accuracy, dead=dead))
    text = said(hurt)
    assert f"accuracy has fallen from its best, 90 % at step {run.history.step[4]:,.0f}" in text
    assert "80 % of layer 3’s units are dead" in text
    assert "{bn} With BN, accuracy has fallen" in text
    assert "{plain} Without BN, " not in text


def test_a_small_dip_is_not_worth_a_word() -> None:
    assert "fell" not in said(made_up.a_run())
