"""The runs that show the claims in the lab: out of the records that test them, and with the same outcome."""

import math

import numpy as np
import pytest

from bnviz.config import RATE_AND_TRAINING_IMAGES, ClaimRun, Network, Nonlinearity, Settings
from bnviz.figures.claim_runs import LabRun, lab_runs
from bnviz.figures.claims import CLAIMS, DEPTH, NONLINEARITY, SCALE, TRAINING_IMAGES
from bnviz.records import Floats, Run
from tests.figures.test_claims import CONFIGS, constant_sweep, recorded, sweep_of, swept

TWINS = ("none", "batch")


@pytest.fixture(scope="module")
def recordings() -> dict[str, Run]:
    return {source: recorded(source) for claim in CLAIMS.values() for source in claim.sources}


def runs_of(name: str, recordings: dict[str, Run]) -> tuple[LabRun, ...]:
    return lab_runs(name, [recordings[source] for source in CLAIMS[name].sources])


def ends(run: Run, settings: Settings) -> dict[str, float]:
    """At which test accuracy, in per cent, the recorded run with these settings ends, by network; 0 is diverged."""
    sweep = sweep_of(run)
    names = [one.name for one in sweep.config.competitors]
    wanted = settings.replace(networks=sweep.config.base.model.networks)
    (cell,) = [one for one in sweep.config.cells if sweep.config.settings_of(one) == wanted]
    score: Floats = np.nan_to_num(sweep.score[:, cell.row, cell.column, cell.seed])
    return dict(zip(names, (100 * score).tolist(), strict=True))


def test_every_claim_has_a_run_and_every_name_of_a_link_is_one(recordings: dict[str, Run]) -> None:
    assert [run.name for name in CLAIMS for run in runs_of(name, recordings)] == list(ClaimRun)


@pytest.mark.parametrize("name", [name for name, claim in CLAIMS.items() if claim.sources[0] in CONFIGS])
def test_every_run_is_the_first_seed_of_a_cell_of_its_rows_map(name: str, recordings: dict[str, Run]) -> None:
    maps = [sweep_of(recordings[source]).config for source in CLAIMS[name].sources]
    cells = [one.settings_of(cell) for one in maps for cell in one.cells if cell.seed == 0]
    for run in runs_of(name, recordings):
        networks = [one.base.model.networks for one in maps]
        assert any(run.settings.replace(networks=of_map) in cells for of_map in networks)
        assert set(run.settings.model.networks) <= set(networks[0])


def test_what_the_lab_shows_within_the_steps_of_the_row_is_what_the_row_says(recordings: dict[str, Run]) -> None:
    """Every cell is a run of the lab, bit for bit: so the recorded seed tells what the lab will."""

    def shown(name: str, source: str, place: int = 0) -> dict[str, float]:
        return ends(recordings[source], runs_of(name, recordings)[place].settings)

    faster = shown("faster", SCALE)
    assert faster["plain"] > faster["bn"] > 90  # faster at first, as the test below has it, and not at the end
    higher = shown("higher-rates", NONLINEARITY)
    assert higher["bn"] > 90 > 20 > higher["plain"]
    care = shown("less-care", SCALE)
    assert care["bn"] > 90 > 60 > care["plain"]
    saturating = shown("saturating", DEPTH)
    assert saturating["bn"] > 90 > 20 > saturating["plain"]
    with_bn, without = (shown("regularizes", TRAINING_IMAGES, place) for place in (0, 1))
    assert with_bn["bn"] > without["plain"] > without["bn"]
    with_bn, without = (shown("less-dropout", TRAINING_IMAGES, place) for place in (0, 1))
    assert with_bn["bndropout"] - with_bn["bn"] < 0 < without["dropout"] - without["plain"]


def test_the_run_of_the_faster_row_passes_the_marks_sooner_with_bn(recordings: dict[str, Run]) -> None:
    (run,) = runs_of("faster", recordings)
    sweep = sweep_of(recordings[SCALE])
    (cell,) = [one for one in sweep.config.cells if sweep.config.settings_of(one) == run.settings]
    over_steps = sweep.accuracy_over_steps[:, cell.row, cell.column, cell.seed]
    for mark in (0.8, 0.9):
        plain, bn = (int(np.argmax(one >= mark)) for one in over_steps)
        assert 0 < bn < plain


def test_the_row_on_saturation_opens_glorot_weights_and_the_one_on_rates_the_weights_of_its_map(
    recordings: dict[str, Run],
) -> None:
    for name, source in (("saturating", DEPTH), ("higher-rates", NONLINEARITY)):
        (run,) = runs_of(name, recordings)
        base = sweep_of(recordings[source]).config.base.model
        assert run.settings.model.initialization is base.initialization
        assert run.settings.model.init_scale == base.init_scale


def test_the_row_on_dropout_opens_its_own_dropout_and_compares_what_differs_in_it_alone(
    recordings: dict[str, Run],
) -> None:
    with_bn, without = (run.settings for run in runs_of("less-dropout", recordings))
    assert with_bn.hyper.dropout == without.hyper.dropout == RATE_AND_TRAINING_IMAGES.base.hyper.dropout
    assert with_bn.model.networks == (Network.BATCH, Network.BATCH_DROPOUT)
    assert without.model.networks == (Network.NONE, Network.DROPOUT)


def test_the_runs_that_are_recorded_themselves_open_as_they_are(recordings: dict[str, Run]) -> None:
    (scaled,), (shifted,) = (runs_of(name, recordings) for name in ("scale-free", "less-shift"))
    assert scaled.settings == recordings["lab"].settings
    assert shifted.settings == recordings["shift"].settings.replace(networks=TWINS)


# --- rates, depths and images are those of the records ----------------------------------------------------------------


@pytest.mark.parametrize(("best_bn", "best_plain", "images"), [(1.0, 0.1, 2000), (0.3, 3.0, 10_000)])
def test_rates_and_images_are_looked_up_in_the_records(best_bn: float, best_plain: float, images: int) -> None:
    def accuracy(name: str, rate: float, value: object) -> float:
        best = best_bn if name.startswith("bn") else best_plain
        end = 0.8 if rate == best else 0.7
        gain = 0.05 if name == "bn" else 0.03 if name == "dropout" else 0.0
        return end + (gain if value == images else 0.0)

    run = swept(RATE_AND_TRAINING_IMAGES, accuracy)
    for name in ("regularizes", "less-dropout"):
        of_bn, of_plain = (one.settings for one in lab_runs(name, [run]))
        assert (of_bn.hyper.learning_rate, of_plain.hyper.learning_rate) == (best_bn, best_plain)
        assert of_bn.model.training_images == of_plain.model.training_images == images


@pytest.mark.parametrize(("highest", "rate"), [(3.0, 3.0), (1.0, 1.0), (0.1, None)])
def test_the_rate_is_the_highest_multiple_that_is_borne_with_bn_alone(highest: float, rate: float | None) -> None:
    def accuracy(name: str, one: float, value: object) -> float:
        return 0.9 + 0.01 * math.log10(one) if one <= (highest if name == "bn" else 0.1) else math.nan

    found = lab_runs("higher-rates", [swept(CONFIGS[NONLINEARITY], accuracy)])
    assert [one.settings.hyper.learning_rate for one in found] == ([] if rate is None else [rate])
    assert all(one.settings.model.nonlinearity is Nonlinearity.RELU for one in found)


def test_records_that_decide_nothing_open_no_run() -> None:
    assert lab_runs("less-dropout", [constant_sweep(RATE_AND_TRAINING_IMAGES, 0.9, 0.9)]) == ()
