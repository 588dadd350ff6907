"""Verdicts with known answers: records made for them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnviz.config import BN, NOISY, PLAIN, TWINS, WITH_NOISE
from bnviz.figures.comparisons import Direction, layers_of
from bnviz.figures.verdicts import MEASURES, Verdict, verdicts
from bnviz.records import Floats, Health, Run, Shift, Smoothness
from tests.figures import made_up_runs as made_up

TEXTS = Path(__file__).resolve().parents[2] / "assets" / "texts"
LOWER, HIGHER, ALIKE = Direction.LOWER, Direction.HIGHER, Direction.ALIKE
MIXED, UNDECIDED = Direction.MIXED, Direction.UNDECIDED


def with_shift(bn: Floats, plain: Floats, layers: int = 3) -> Run:
    """A run whose gradients change by so much. bn, plain: [m, layers] of the weight layers from the second on."""
    records = []
    for at in range(len(bn)):
        change = np.zeros((2, layers + 1))
        change[:, 1:] = plain[at], bn[at]
        records.append(Shift(25 * at, change, 2 * change, 1 - change / 100))
    return made_up.a_run(60, layers).replace(shift=tuple(records))


def constant(factors: list[float], count: int = 20) -> tuple[Floats, Floats]:
    """BN times a factor in each layer, what is measured scattering from step to step by a factor of ten."""
    plain = np.random.default_rng(0).lognormal(0, 1, (count, len(factors)))
    return plain * factors, plain


def with_smoothness(loss_range: Floats, change: Floats, beta: Floats) -> Run:
    """[m, 2] each, without BN and with it: the loss rises by so much, the others have it at the largest step size."""

    def up_to(highest: Floats, lowest: float) -> Floats:
        return np.stack([np.full_like(highest, lowest), highest], axis=1)

    records = [
        Smoothness(
            step=25 * at,
            learning_rate=np.full(2, 0.1),
            loss=np.ones(2),
            loss_along=up_to(1 + loss_range[at], 1.0),
            gradient_change=up_to(change[at], 0.1),
            beta=up_to(beta[at], 0.1),
        )
        for at in range(len(change))
    ]
    return made_up.a_run(60).replace(smoothness=tuple(records))


def of(run: Run, measure: str) -> Verdict:
    (one,) = [each for each in verdicts(run) if each.measure == measure]
    return replace(one, finding=one.finding.replace("\N{NO-BREAK SPACE}", " "))


def test_there_is_one_verdict_a_measure_and_each_has_its_text() -> None:
    found = verdicts(made_up.a_run(60, has_shift=True))
    assert tuple(one.measure for one in found) == MEASURES
    for measure in MEASURES:
        heading, _, body = (TEXTS / f"verdict-{measure}.md").read_text(encoding="utf-8").partition("\n")
        assert heading.startswith("# ")
        assert heading.endswith("?")
        assert body.strip()


def test_a_factor_of_three_in_every_layer_is_found() -> None:
    run = with_shift(*constant([1 / 3, 1 / 3, 1 / 3]))
    verdict = of(run, "ics-change")
    assert verdict.direction is LOWER
    assert verdict.steps == (0, 475)
    assert verdict.finding == (
        "With BN, against without BN: lower in layers 2, 3 and the output layer by a factor of 3.0. "
        "Median of 20 measurements, steps 0 to 475; 100 % of them on the median’s side."
    )


def test_layers_that_disagree_are_named() -> None:
    verdict = of(with_shift(*constant([1 / 3, 2.0, 1.02])), "ics-relative")
    assert verdict.direction is MIXED
    assert verdict.finding.startswith(
        "With BN, against without BN: lower in layer 2 by a factor of 3.0; higher in layer 3 by a factor of 2.0; "
        "about the same in the output layer."
    )


def test_swapping_the_networks_swaps_the_verdict() -> None:
    run = with_shift(*constant([1 / 3, 1 / 3, 1 / 2]))
    swapped = run.replace(history=replace(run.history, competitors=(BN, PLAIN)))
    one, other = of(run, "ics-change"), of(swapped, "ics-change")
    assert (one.direction, other.direction) == (LOWER, HIGHER)
    assert one.finding == other.finding.replace("higher", "lower")


def test_an_even_split_between_the_steps_decides_nothing() -> None:
    plain = np.ones((20, 3))
    bn = np.where(np.arange(20)[:, None] % 2 == 0, 4.0, 0.5) * plain
    bn[0] = 4.0
    bn[1:3] = 4.0
    verdict = of(with_shift(bn, plain), "ics-change")
    assert verdict.direction is UNDECIDED
    assert "undecided in layers 2, 3 and the output layer. " in verdict.finding


@pytest.mark.parametrize("count", [1, 4])
def test_fewer_than_five_measurements_decide_nothing(count: int) -> None:
    verdict = of(with_shift(*constant([0.1, 0.1, 0.1], count)), "ics-change")
    assert verdict.direction is UNDECIDED
    assert verdict.finding == f"Too early to say: {count} of the 5 measurements that a verdict takes."


def test_five_measurements_decide() -> None:
    assert of(with_shift(*constant([0.1, 0.1, 0.1], 5)), "ics-change").direction is LOWER


def test_within_ten_per_cent_networks_are_alike() -> None:
    verdict = of(with_shift(*constant([1.05, 0.95, 1.0])), "ics-change")
    assert verdict.direction is ALIKE
    assert "about the same in layers 2, 3 and the output layer." in verdict.finding
    assert "side" not in verdict.finding


def test_one_wild_step_changes_no_verdict() -> None:
    bn, plain = constant([1 / 3, 1 / 3, 1 / 3])
    bn[7] = 1e9
    assert of(with_shift(bn, plain), "ics-change").direction is LOWER
    bn[7] = np.inf
    assert of(with_shift(bn, plain), "ics-change").direction is LOWER


def test_a_stopped_network_is_compared_up_to_where_it_stopped() -> None:
    bn, plain = constant([1 / 3, 1 / 3, 1 / 3])
    plain[12:] = np.nan
    verdict = of(with_shift(bn, plain), "ics-change")
    assert verdict.steps == (0, 275)
    assert "Median of 12 measurements" in verdict.finding


def test_a_higher_cosine_is_told_as_a_difference() -> None:
    plain = np.full((20, 3), 60.0)
    verdict = of(with_shift(plain / 3, plain), "ics-cosine")
    assert verdict.direction is HIGHER
    assert "higher in layers 2, 3 and the output layer by 0.40." in verdict.finding


def test_cosines_two_hundredths_apart_are_alike() -> None:
    plain = np.full((20, 3), 2.5)
    assert of(with_shift(plain / 3, plain), "ics-cosine").direction is ALIKE


def test_twenty_layers_are_told_in_ranges() -> None:
    factors = [0.2] * 8 + [5.0] * 2 + [0.5] * 10
    verdict = of(with_shift(*constant(factors), layers=20), "ics-change")
    assert verdict.direction is MIXED
    assert "lower in layers 2–9, 12–20 and the output layer by factors of 2.0 to 5.0" in verdict.finding
    assert "higher in layers 10 and 11 by a factor of 5.0" in verdict.finding


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([2], "layer 2"),
        ([4], "the output layer"),
        ([2, 3], "layers 2 and 3"),
        ([2, 4], "layer 2 and the output layer"),
        ([1, 2, 3, 4], "layers 1–3 and the output layer"),
    ],
)
def test_layers_read_as_one_would_say_them(layers: list[int], text: str) -> None:
    assert layers_of(made_up.a_run(2), layers) == text


def test_smoothness_has_a_verdict_of_each_sign() -> None:
    scatter = np.random.default_rng(1).lognormal(0, 1, (30, 1))
    run = with_smoothness(scatter * [3.0, 1.0], scatter * [1.0, 2.0], scatter * [1.0, 1.0])
    assert [of(run, name).direction for name in ("loss-range", "gradient-change", "beta")] == [LOWER, HIGHER, ALIKE]
    assert of(run, "loss-range").finding.startswith(
        "With BN, against without BN: lower by a factor of 3.0. Median of 30"
    )


def test_a_run_that_begins_the_other_way_round_says_so() -> None:
    change = np.full((30, 2), [1.0, 0.5])
    change[:4] = [1.0, 4.0]
    verdict = of(with_smoothness(np.ones((30, 2)), change, np.ones((30, 2))), "gradient-change")
    assert verdict.direction is LOWER
    assert verdict.finding.endswith("But up to step 75 higher.")


def test_layers_that_turn_round_say_when() -> None:
    """Each half clear, the whole undecided."""
    bn, plain = constant([1.0, 1.0, 0.5])
    bn[:10, :2], bn[10:, :2] = 40 * plain[:10, :2], plain[10:, :2] / 2
    verdict = of(with_shift(bn, plain), "ics-change")
    assert verdict.direction is MIXED
    assert verdict.finding.startswith(
        "With BN, against without BN: lower in the output layer by a factor of 2.0; "
        "higher by a factor of 40 up to step 225 and then lower by a factor of 2.0 in layers 2 and 3. "
    )


def test_a_cosine_may_be_alike_first_and_higher_then() -> None:
    plain = np.full((20, 3), 1.0)
    bn = plain.copy()
    plain[12:] = 40.0
    verdict = of(with_shift(bn, plain), "ics-cosine")
    assert verdict.direction is MIXED
    assert (
        "about the same up to step 275 and then higher by 0.39 in layers 2, 3 and the output layer" in verdict.finding
    )


def test_mere_scatter_makes_no_turn() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        verdict = of(with_shift(rng.lognormal(0, 1, (100, 3)), rng.lognormal(0, 1, (100, 3))), "ics-change")
        assert "and then" not in verdict.finding


def test_a_loss_that_overflows_without_bn_counts_as_larger() -> None:
    loss_range = np.full((30, 2), [np.inf, 1.0])
    loss_range[:5] = 1.0
    verdict = of(with_smoothness(loss_range, np.ones((30, 2)), np.ones((30, 2))), "loss-range")
    assert verdict.direction is LOWER
    assert "by a factor of over 10⁶" in verdict.finding
    assert "nan" not in verdict.finding


def test_less_drift_is_found_layer_by_layer() -> None:
    run = made_up.a_run(60)
    moved = np.ones_like(run.history.net_displacement)
    moved[:, 1] = [0.5, 2.0, 0.5]
    verdict = of(run.replace(history=replace(run.history, net_displacement=moved)), "drift-net")
    assert verdict.direction is MIXED
    assert "lower in layers 1 and 3 by a factor of 2.0; higher in layer 2 by a factor of 2.0" in verdict.finding
    assert verdict.steps == (25, 1500)


def test_a_stalled_network_that_does_not_drift_is_no_victory() -> None:
    run = made_up.a_run(60, health=(made_up.stalled(200), Health()))
    moved, accuracy = run.history.net_displacement.copy(), run.history.accuracy.copy()
    moved[:, 0], moved[:, 1], accuracy[:, 0] = 0.01, 0.12, 0.11
    run = run.replace(history=replace(run.history, net_displacement=moved, accuracy=accuracy))
    verdict = of(run, "drift-net")
    assert verdict.direction is HIGHER
    assert verdict.finding.endswith(
        "But nothing is learnt yet without BN (11 % test accuracy): a network that stands still does not drift."
    )


def test_training_speed_is_the_step_at_the_highest_mark_that_both_reach() -> None:
    run = made_up.a_run(60)
    accuracy = np.zeros_like(run.history.accuracy)
    accuracy[10:, 1], accuracy[30:, 0] = 0.91, 0.96
    verdict = of(run.replace(history=replace(run.history, accuracy=accuracy)), "speed")
    assert verdict.direction is LOWER
    steps = run.history.step
    assert verdict.finding == (
        f"90 % test accuracy is reached by step {steps[10]:.0f} with BN, {steps[30]:.0f} without BN "
        "(3.0 times as many). "
        "At the last measurement: 91.0 % with BN, 96.0 % without BN."
    )


def test_a_network_that_never_learns_has_no_step_to_be_compared() -> None:
    run = made_up.a_run(60)
    accuracy = run.history.accuracy.copy()
    accuracy[:, 0] = 0.1
    verdict = of(run.replace(history=replace(run.history, accuracy=accuracy)), "speed")
    assert verdict.direction is LOWER
    assert "30 % is not reached without BN" in verdict.finding


def test_marks_that_disagree_decide_no_race() -> None:
    run = made_up.a_run(60)
    accuracy = np.zeros_like(run.history.accuracy)
    accuracy[5:, 0], accuracy[30:, 0] = 0.75, 0.95  # early to 70 %, late to 90 %
    accuracy[10:, 1], accuracy[20:, 1] = 0.65, 0.95
    verdict = of(run.replace(history=replace(run.history, accuracy=accuracy)), "speed")
    assert verdict.direction is UNDECIDED
    assert "marks say so" in verdict.finding


@pytest.mark.parametrize("points", [0, 1, 2, 60])
def test_every_run_has_verdicts_in_words(points: int) -> None:
    for competitors in (TWINS, WITH_NOISE):
        for has_shift in (False, True):
            for stopped_at in (None, 0):
                run = made_up.a_run(
                    points, competitors=competitors, has_shift=has_shift, stopped_at=stopped_at if points else None
                )
                for one in verdicts(run):
                    assert one.finding.endswith(".")
                    assert "nan" not in one.finding


def test_a_run_without_twins_has_no_verdicts() -> None:
    assert verdicts(made_up.a_run(20, competitors=(PLAIN, NOISY))) == ()


def test_a_few_early_steps_do_not_outvote_what_follows() -> None:
    """The first steps are measured one by one; here BN is higher in them and lower in the 150 steps that follow."""
    run = made_up.a_run(has_shift=True)
    steps = [0, 1, 2, 3, 4, 5, 50, 100, 150]
    records = []
    for step in steps:
        one = made_up.smoothness(step)
        factor = 3.0 if step <= 5 else 0.3
        records.append(replace(one, beta=np.stack([np.ones(4), np.full(4, factor)])))
    verdict = next(one for one in verdicts(run.replace(smoothness=tuple(records))) if one.measure == "beta")
    assert verdict.direction is Direction.LOWER
