"""The claims of the paper: records made for either outcome, and what the recordings that ship say."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bnviz.config import (
    RATE_AND_DEPTH,
    RATE_AND_NONLINEARITY,
    RATE_AND_SCALE,
    RATE_AND_TRAINING_IMAGES,
    SweepConfig,
)
from bnviz.figures.claims import CLAIMS, DEPTH, NONLINEARITY, SCALE, TRAINING_IMAGES
from bnviz.figures.claims_on_rates import steps_to
from bnviz.figures.rulings import Cases, ClaimVerdict, Ruling, ruling_of
from bnviz.records import (
    MOMENTS,
    SCALES,
    CellFailure,
    CellResult,
    Floats,
    Outcome,
    Run,
    Sweep,
    SweepPhase,
    nothing_swept,
    with_failures,
    with_results,
)
from bnviz.runs.recorded import FOLDER, run_id_of
from bnviz.runs.store import load_run
from bnviz.runs.sweep_run import run_of
from bnviz.runs.sweep_store import load_sweep
from tests.figures import made_up_runs as made_up
from tests.figures.made_up_sweeps import a_run_with_sweep
from tests.figures.test_verdicts import constant, with_shift

HOLDS, IN_PART, NOT_SHOWN = Ruling.HOLDS, Ruling.IN_PART, Ruling.NOT_SHOWN
INVERTS, UNDECIDED = Ruling.INVERTS, Ruling.UNDECIDED
CONFIGS = {
    SCALE: RATE_AND_SCALE,
    NONLINEARITY: RATE_AND_NONLINEARITY,
    DEPTH: RATE_AND_DEPTH,
    TRAINING_IMAGES: RATE_AND_TRAINING_IMAGES,
}
OF_SWEEPS = [name for name, claim in CLAIMS.items() if claim.sources[0] in CONFIGS]

Accuracy = Callable[[str, float, object], float]  # of a network, a learning rate and the value of the other side


def swept(config: SweepConfig, accuracy: Accuracy, half: Callable[[str], float] = lambda name: 0.1) -> Run:
    """A whole sweep whose networks end at these accuracies, the seeds a little apart; NaN is diverged.

    `half` is the share of the steps after which a network is half way between chance and its end.
    """
    results = []
    for cell in config.cells:
        rate, value = config.x.values[cell.column], config.y.values[cell.row]
        names = [one.name for one in config.competitors]
        end = np.array([accuracy(name, rate, value) for name in names]) + 0.0005 * cell.seed
        reached = np.array([1 - 0.5 ** (MOMENTS / half(name)) for name in names])
        over_steps = 0.1 + (end[:, None] - 0.1) * reached / reached[:, -1:]
        outcome = np.where(np.isnan(end), Outcome.DIVERGED, Outcome.TRAINED)
        results.append(CellResult(cell, outcome, np.full(len(end), np.nan), end, over_steps))
    return a_run_with_sweep(with_results(nothing_swept("made-up-sweep-0000", config, SweepPhase.FINISHED), results))


def constant_sweep(config: SweepConfig, bn: float, plain: float) -> Run:
    return swept(config, lambda name, rate, value: bn if name.startswith("bn") else plain)


def judged(name: str, *runs: Run) -> ClaimVerdict:
    verdict = CLAIMS[name].judge(*runs)
    return ClaimVerdict(verdict.ruling, spaced(verdict.size), tuple(map(read, verdict.findings)))


def spaced(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def read(finding: Cases | str) -> Cases | str:
    if isinstance(finding, str):
        return spaced(finding)
    return Cases(spaced(finding.heading), tuple((spaced(one), spaced(bn), spaced(no)) for one, bn, no in finding.rows))


def rows_of(verdict: ClaimVerdict) -> dict[str, tuple[str, str]]:
    """With BN and without, by case, of all tables."""
    tables = [one for one in verdict.findings if isinstance(one, Cases)]
    return {case: (bn, plain) for one in tables for case, bn, plain in one.rows}


def swapped(run: Run) -> Run:
    """The same with the accuracies of the networks without BN and with it exchanged."""
    sweep = run.sweep
    assert sweep is not None
    order = [1, 0, 3, 2][: len(sweep.config.competitors)]
    arrays = ("outcome", "since_step", "accuracy", "accuracy_over_steps")
    return run.replace(study=replace(sweep, **{name: getattr(sweep, name)[order] for name in arrays}))


def sweep_of(run: Run) -> Sweep:
    assert run.sweep is not None
    return run.sweep


# --- what cases come to -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sides", "ruling"),
    [
        ([1, 1, 1], HOLDS),
        ([1, None, 1], HOLDS),
        ([1, 0, 0], IN_PART),
        ([1, 1, -1, -1], IN_PART),
        ([1, -1, -1], INVERTS),
        ([0, 0], NOT_SHOWN),
        ([0, 0, -1], NOT_SHOWN),
        ([0, -1, -1], INVERTS),
        ([-1], INVERTS),
        ([None, None], UNDECIDED),
        ([], UNDECIDED),
    ],
)
def test_a_ruling_is_that_of_all_cases_of_most_against_of_some_or_of_none(
    sides: list[int | None], ruling: Ruling
) -> None:
    assert ruling_of(sides) is ruling


# --- sweeps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_SWEEPS)
def test_networks_that_fare_alike_show_nothing(name: str) -> None:
    runs = [constant_sweep(CONFIGS[source], 0.93, 0.93) for source in CLAIMS[name].sources]
    assert judged(name, *runs).ruling is (UNDECIDED if name == "less-dropout" else NOT_SHOWN)


@pytest.mark.parametrize("name", OF_SWEEPS)
def test_what_is_not_swept_to_the_end_decides_nothing(name: str) -> None:
    for source in CLAIMS[name].sources:
        runs = [constant_sweep(CONFIGS[one], 0.95, 0.5) for one in CLAIMS[name].sources]
        at = CLAIMS[name].sources.index(source)
        runs[at] = a_run_with_sweep(nothing_swept("made-up-sweep-0000", CONFIGS[source]))
        assert judged(name, *runs).ruling is UNDECIDED


@pytest.mark.parametrize("name", OF_SWEEPS)
def test_a_sweep_of_which_cells_could_not_be_computed_decides_nothing(name: str) -> None:
    for at, source in enumerate(CLAIMS[name].sources):
        runs = [constant_sweep(CONFIGS[one], 0.95, 0.5) for one in CLAIMS[name].sources]
        failures = [CellFailure(cell, "its worker ended") for cell in CONFIGS[source].cells]
        failed = with_failures(nothing_swept("made-up-sweep-0000", CONFIGS[source]), failures)
        assert failed.done == 1
        runs[at] = a_run_with_sweep(failed)
        assert judged(name, *runs).ruling is UNDECIDED


@pytest.mark.parametrize("name", OF_SWEEPS)
def test_a_sweep_of_other_networks_decides_nothing(name: str) -> None:
    base = RATE_AND_SCALE.base.replace(networks=("none", "layer"))
    runs = [constant_sweep(replace(CONFIGS[one], base=base), 0.9, 0.8) for one in CLAIMS[name].sources]
    assert judged(name, *runs).ruling is UNDECIDED


def test_the_step_at_which_a_mark_is_reached_is_that_of_the_soonest_cell() -> None:
    run = swept(RATE_AND_SCALE, lambda name, rate, value: 0.95 if (rate, value) == (0.3, 0.1) else 0.4)
    sweep = sweep_of(run)
    reached = np.median(sweep.accuracy_over_steps[1, 3, 3], axis=0) >= 0.9
    assert steps_to(sweep, 1, 0.9, sweep.config.places) == sweep.steps[int(np.argmax(reached))]
    assert steps_to(sweep, 1, 0.96, sweep.config.places) == math.inf
    assert steps_to(sweep, 1, 0.9, [(0, 0)]) == math.inf


def faster(half_bn: float, half_plain: float, end_bn: float = 0.95, end_plain: float = 0.95) -> ClaimVerdict:
    def half(name: str) -> float:
        return half_bn if name == "bn" else half_plain

    def end(name: str, rate: float, value: object) -> float:
        return end_bn if name == "bn" else end_plain

    return judged("faster", swept(RATE_AND_SCALE, end, half), swept(RATE_AND_NONLINEARITY, end, half))


def test_fewer_steps_to_every_mark_hold() -> None:
    verdict = faster(0.02, 0.4, end_bn=0.97)
    assert verdict.ruling is HOLDS
    assert verdict.size.startswith("BN takes ")
    assert verdict.size.endswith("times fewer steps to every mark")


def test_more_steps_to_every_mark_invert() -> None:
    verdict = faster(0.4, 0.02, end_bn=0.94)
    assert verdict.ruling is INVERTS
    assert verdict.size == "BN takes no fewer steps to any mark"


def test_faster_at_first_but_never_as_good_holds_in_part_and_says_so() -> None:
    verdict = faster(0.02, 0.4, end_bn=0.94)
    assert verdict.ruling is IN_PART
    assert verdict.size.endswith("times fewer steps to 4 of 6 marks")
    assert all(isinstance(one, Cases) and one.rows[-1][1] == "not reached" for one in verdict.findings)
    assert [case for case in rows_of(verdict) if case.endswith("the best without BN")] == [
        "95.0 %, the best without BN"
    ]


def rates(highest_bn: float, highest_plain: float = 0.1) -> ClaimVerdict:
    """Networks that do a little better at each rate up to their highest, and diverge beyond."""

    def accuracy(name: str, rate: float, value: object) -> float:
        highest = highest_bn if name == "bn" else highest_plain
        return 0.9 + 0.01 * math.log10(rate) if rate <= highest else math.nan

    return judged("higher-rates", swept(RATE_AND_NONLINEARITY, accuracy))


@pytest.mark.parametrize(
    ("highest", "ruling", "size"),
    [
        (3, HOLDS, "At 3, 10 and 30 times the best rate without BN more networks train with BN"),
        (1, IN_PART, "At 3 and 10 times the best rate without BN more networks train with BN"),
        (0.1, NOT_SHOWN, "BN bears no higher rates"),
        (0.01, NOT_SHOWN, "BN bears no higher rates"),
    ],
)
def test_higher_rates_hold_as_far_as_the_networks_bear_them(highest: float, ruling: Ruling, size: str) -> None:
    verdict = rates(highest)
    assert (verdict.ruling, verdict.size) == (ruling, size)


def test_rates_that_only_the_network_without_bn_bears_invert_the_claim() -> None:
    def accuracy(name: str, rate: float, value: object) -> float:
        if name == "bn":
            return 0.9 if rate <= 0.1 else math.nan
        return 0.95 if rate == 0.1 else 0.9  # best at 0.1, usable at all

    verdict = judged("higher-rates", swept(RATE_AND_NONLINEARITY, accuracy))
    assert (verdict.ruling, verdict.size) == (INVERTS, "BN bears lower rates")


def test_the_highest_rate_of_a_map_is_marked_as_the_last_that_was_tried() -> None:
    assert rows_of(rates(30))["sigmoid"] == ("30+", "0.1")


def test_a_bad_scale_that_costs_only_the_network_without_bn_holds_and_the_other_way_inverts() -> None:
    def accuracy(name: str, rate: float, value: object) -> float:
        assert isinstance(value, float)
        return 0.95 if name == "bn" else 0.95 - 0.4 * abs(math.log10(value / 0.1))

    run = swept(RATE_AND_SCALE, accuracy)
    verdict = judged("less-care", run)
    assert verdict.ruling is HOLDS
    assert verdict.size == "The worst initial scale costs 0.0 points with BN, 40.0 without"
    inverted = judged("less-care", swapped(run))
    assert (inverted.ruling, inverted.size) == (
        INVERTS,
        "The worst initial scale costs 40.0 points with BN, 0.0 without",
    )


def test_a_rate_that_makes_up_for_a_bad_scale_leaves_only_fewer_cells_that_work() -> None:
    def accuracy(name: str, rate: float, value: object) -> float:
        return 0.95 if name == "bn" or rate == 0.3 else 0.5

    assert judged("less-care", swept(RATE_AND_SCALE, accuracy)).ruling is IN_PART


def saturating(bn: Callable[[object], float], plain: Callable[[object], float]) -> ClaimVerdict:
    def accuracy(name: str, rate: float, value: object) -> float:
        return bn(value) if name == "bn" else plain(value)

    return judged("saturating", swept(RATE_AND_NONLINEARITY, accuracy), swept(RATE_AND_DEPTH, accuracy))


def test_saturating_nonlinearities_hold_in_part_where_only_deep_networks_need_bn() -> None:
    def plain(value: object) -> float:
        return 0.11 if isinstance(value, int) and value >= 5 else 0.93

    verdict = saturating(lambda value: 0.93, plain)
    assert verdict.ruling is IN_PART
    assert verdict.size == "From 5 layers on sigmoids train only with BN"
    assert rows_of(verdict)["10 layers"] == ("93.0 %", "11.1 %")


def test_saturating_nonlinearities_hold_everywhere_or_invert() -> None:
    only_bn = saturating(lambda value: 0.93, lambda value: 0.5)
    only_plain = saturating(lambda value: 0.5, lambda value: 0.93)
    assert (only_bn.ruling, only_bn.size) == (HOLDS, "At every depth sigmoids train only with BN")
    assert (only_plain.ruling, only_plain.size) == (INVERTS, "At every depth sigmoids train only without BN")


@pytest.mark.parametrize(
    ("bn", "plain", "size"),
    [
        (0.95, 0.93, "Sigmoids train with BN and without; BN makes +2.0 points"),
        (0.92, 0.93, "Sigmoids train with BN and without; BN makes −1.0 points"),
        (0.4, 0.3, "No depth at which sigmoids train only with BN"),
    ],
)
def test_sigmoids_that_train_either_way_or_neither_are_told_so(bn: float, plain: float, size: str) -> None:
    assert saturating(lambda value: bn, lambda value: plain).size == size


def test_depths_at_which_only_one_trains_are_named_for_either_network() -> None:
    verdict = saturating(lambda v: 0.3 if v in (1, 10) else 0.93, lambda v: 0.3 if v in (2, 7) else 0.93)
    assert verdict.size == (
        "With 2 and 7 layers sigmoids train only with BN; with 1 and 10 layers sigmoids train only without BN"
    )


def test_seeds_that_disagree_show_nothing() -> None:
    run = constant_sweep(RATE_AND_TRAINING_IMAGES, 0.95, 0.90)
    sweep = sweep_of(run)
    accuracy = sweep.accuracy.copy()
    accuracy[1, ..., 0] = 0.8  # one seed of three is worse with BN
    assert judged("regularizes", run.replace(study=replace(sweep, accuracy=accuracy))).ruling is NOT_SHOWN
    assert judged("regularizes", run).ruling is HOLDS


@pytest.mark.parametrize(
    ("gap", "ruling", "size"),
    [
        (0.02, HOLDS, "better on {} (+2.0 points)"),
        (0, NOT_SHOWN, "alike on {} (0.0 points)"),
        (-0.02, INVERTS, "worse on {} (−2.0 points)"),
    ],
    ids=["better", "alike", "worse"],
)
def test_regularization_is_a_better_test_accuracy_from_every_seed(gap: float, ruling: Ruling, size: str) -> None:
    verdict = judged("regularizes", constant_sweep(RATE_AND_TRAINING_IMAGES, 0.9 + gap, 0.9))
    assert verdict.ruling is ruling
    assert verdict.size == f"With BN {size.format('500, 2,000, 10,000 and 60,000 images')}"


def test_a_difference_is_that_of_the_numbers_that_are_printed() -> None:
    """0.95149 and 0.95151 print as 95.1 and 95.2: a row that shows those must not call them equal."""
    verdict = judged("regularizes", constant_sweep(RATE_AND_TRAINING_IMAGES, 0.95149 - 0.0005, 0.95151 - 0.0005))
    assert rows_of(verdict)["500 images"] == ("95.1 %", "95.2 %")
    assert "(−0.1 points)" in verdict.size


def differences(text: str) -> list[float]:
    """The signed numbers of a text, 0.0 among them."""
    return [float(one.replace("−", "-")) for one in re.findall(r"[+−]\d+\.\d|(?<![\d.])0\.0(?!\d)", text)]


@pytest.mark.parametrize("name", ["regularizes", "less-dropout"])
def test_the_points_of_the_recordings_can_be_checked_by_their_rows(name: str) -> None:
    verdict = judged(name, *map(recorded, CLAIMS[name].sources))
    checked = set()
    for bn, plain in rows_of(verdict).values():
        if name == "regularizes":
            checked.add(round(float(bn.rstrip(" %")) - float(plain.rstrip(" %")), 1))
        for added in (bn, plain) if name == "less-dropout" else ():
            (points,) = differences(added)
            before, after = (float(one) for one in re.findall(r"\d+\.\d", added)[1:])
            assert points == round(after - before, 1)
            checked.add(points)
    assert set(differences(verdict.size)) <= checked


@pytest.mark.parametrize(
    ("with_bn", "without", "ruling"),
    [
        (0.0, 0.03, HOLDS),
        (0.03, 0.03, NOT_SHOWN),
        (0.06, 0.03, INVERTS),
        (0.03, 0.0, UNDECIDED),
        (0.0, -0.1, UNDECIDED),
    ],
)
def test_less_dropout_compares_what_it_adds_where_it_adds_something(
    with_bn: float, without: float, ruling: Ruling
) -> None:
    ends = {"plain": 0.8, "dropout": 0.8 + without, "bn": 0.85, "bndropout": 0.85 + with_bn}
    run = swept(RATE_AND_TRAINING_IMAGES, lambda name, rate, value: ends[name])
    verdict = judged("less-dropout", run)
    assert verdict.ruling is ruling
    if ruling is not UNDECIDED:
        bn, plain = (f"+{100 * one:.1f}" if one else "0.0" for one in (with_bn, without))
        assert verdict.size == f"On 500 images dropout adds {plain} points without BN, {bn} with it"


@pytest.mark.parametrize("name", [one for one in OF_SWEEPS if one not in ("less-dropout", "less-care")])
def test_no_winner_is_written_into_the_code(name: str) -> None:
    """Exchanging the networks turns a claim that holds into one that does not."""
    runs = [constant_sweep(CONFIGS[source], 0.95, 0.3) for source in CLAIMS[name].sources]
    if name == "higher-rates":

        def accuracy(network: str, rate: float, value: object) -> float:
            return 0.9 if network == "bn" or rate == 0.01 else 0.3

        runs = [swept(RATE_AND_NONLINEARITY, accuracy)]
    assert judged(name, *runs).ruling is HOLDS
    assert judged(name, *map(swapped, runs)).ruling in (NOT_SHOWN, INVERTS)


# --- gradients and the scale of the weights ---------------------------------------------------------------------------


def scaled(loss: Floats, gradient: Floats) -> Run:
    run = made_up.a_run(20, has_anatomy=True)
    assert run.anatomy is not None
    now = replace(
        run.anatomy,
        scale_loss=np.stack([loss, run.anatomy.scale_loss[1]]),
        scale_gradient=np.stack([gradient, run.anatomy.scale_gradient[1]]),
    )
    return run.replace(anatomy=now)


def test_a_loss_that_stays_and_a_gradient_over_a_hold() -> None:
    verdict = judged("scale-free", scaled(np.full(21, 0.4), 1 / SCALES))
    assert verdict.ruling is HOLDS
    assert verdict.size == "Weights times 0.1 to 10 change the loss by at most 0 %"


def test_a_loss_or_a_gradient_that_follows_the_scale_does_not() -> None:
    moved = 0.4 * SCALES
    assert judged("scale-free", scaled(moved, np.ones(21))).ruling is INVERTS
    assert judged("scale-free", scaled(np.full(21, 0.4), np.ones(21))).ruling is IN_PART
    assert judged("scale-free", scaled(0.4 * (1 + 0.02 * np.log10(SCALES)), 1.05 / SCALES**0.98)).ruling is NOT_SHOWN


def test_a_run_without_that_measurement_decides_nothing() -> None:
    assert judged("scale-free", made_up.a_run(20)).ruling is UNDECIDED
    assert judged("scale-free", scaled(np.full(21, np.nan), 1 / SCALES)).ruling is UNDECIDED


# --- covariate shift --------------------------------------------------------------------------------------------------


def shifting(gradients: float, inputs: float) -> Run:
    """With BN gradients change so many times as much by the layers below, and inputs move so many times as far."""
    run = with_shift(*constant([gradients, gradients, gradients]))
    moved = run.history.net_displacement.copy()
    moved[:, 1] = inputs * moved[:, 0]
    return run.replace(history=replace(run.history, net_displacement=moved))


@pytest.mark.parametrize(
    ("gradients", "inputs", "ruling"),
    [(0.2, 0.2, HOLDS), (5, 5, INVERTS), (5, 0.2, IN_PART), (1, 1, NOT_SHOWN), (1, 0.2, IN_PART)],
)
def test_less_shift_takes_both_readings(gradients: float, inputs: float, ruling: Ruling) -> None:
    assert judged("less-shift", shifting(gradients, inputs)).ruling is ruling


def test_a_run_in_which_no_shift_is_measured_is_judged_by_its_inputs_alone() -> None:
    verdict = judged("less-shift", shifting(1, 0.2).replace(shift=()))
    assert verdict.ruling is HOLDS
    assert verdict.size == "With BN inputs move: less; gradients change: undecided"


def test_a_run_without_twins_decides_nothing() -> None:
    assert judged("less-shift", made_up.a_run(20, competitors=made_up.a_run(1).competitors[1:])).ruling is UNDECIDED


# --- what ships -------------------------------------------------------------------------------------------------------


def recorded(source: str) -> Run:
    if source in CONFIGS:
        saved = load_sweep(FOLDER / source, run_id_of(source))
        assert saved.sweep.config == CONFIGS[source]
        return run_of(saved.sweep)
    return load_run(FOLDER / source)


@pytest.mark.parametrize("name", CLAIMS)
def test_the_recordings_that_ship_test_every_claim(name: str) -> None:
    verdict = judged(name, *map(recorded, CLAIMS[name].sources))
    assert verdict.ruling is not UNDECIDED
    assert verdict.size
    for finding in verdict.findings:
        if isinstance(finding, str):
            assert finding.endswith(".")
        texts = [finding] if isinstance(finding, str) else [f"{bn}{plain}" for _, bn, plain in finding.rows]
        assert texts
        assert all(any(letter.isdigit() for letter in one) for one in texts)


def test_the_row_of_three_layers_is_that_of_the_sigmoid() -> None:
    """Two recordings hold the same runs: what one says of them, the other says bit for bit."""
    by_depth, by_kind = sweep_of(recorded(DEPTH)), sweep_of(recorded(NONLINEARITY))
    row = by_depth.config.y.values.index(3)
    np.testing.assert_array_equal(by_depth.accuracy[:, row], by_kind.accuracy[:, 0])
