"""The cells of a sweep come to what the lab comes to, bit for bit, whatever trains beside them."""

from dataclasses import replace

import numpy as np
import pytest

from bnviz import data
from bnviz.config import Device, Initialization, Network, Nonlinearity, Settings, SweepAxis, SweepCell, SweepConfig
from bnviz.records import MOMENTS, CellResult, Condition, Outcome
from bnviz.training import Trainer, run_cells

BASE = Settings().replace(device=Device.CPU, hidden_layers=2, width=20)
CONFIG = SweepConfig(
    SweepAxis("init_scale", (0.05, 0.5)), SweepAxis("learning_rate", (0.1, 1.0, 30.0)), BASE, steps=60, seeds=2
)


def swept(config: SweepConfig, *cells: SweepCell) -> list[CellResult]:
    *_, results = run_cells(config, cells, data.load())
    return list(results)


def in_the_lab(config: SweepConfig, cell: SweepCell) -> Trainer:
    settings = config.settings_of(cell)
    trainer = Trainer(settings, data.load())
    for _ in range(config.steps):
        trainer.step(settings.hyper)
    return trainer


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"momentum": 0.9, "weight_decay": 0.01},
        {"optimizer": "adam"},
        {"networks": (Network.NONE, Network.BATCH, Network.NOISY_BATCH, Network.LSUV)},
        {"networks": (Network.BATCH, Network.LAYER, Network.GROUP, Network.BATCH_DROPOUT)},
        {"nonlinearity": Nonlinearity.RELU, "initialization": Initialization.HE},
        {"nonlinearity": Nonlinearity.IDENTITY},  # which diverges
    ],
)
def test_a_cell_is_the_run_that_its_settings_are_in_the_lab(changes: dict[str, object]) -> None:
    config = replace(CONFIG, base=BASE.replace(**changes))
    cells = [SweepCell(row, column, 1) for row in range(2) for column in range(3)]
    for result, cell in zip(swept(config, *cells), cells, strict=True):
        lab = in_the_lab(config, cell)
        assert result.cell == cell
        assert np.array_equal(result.accuracy, lab.measure(is_scheduled=False).accuracy, equal_nan=True)
        assert [one == Outcome.DIVERGED for one in result.outcome] == [
            one.condition is Condition.DIVERGED for one in lab.health
        ]
        since = [np.nan if one.since_step is None else one.since_step for one in lab.health]
        assert np.array_equal(result.since_step, since, equal_nan=True)


def test_networks_train_bit_for_bit_as_they_would_alone() -> None:
    cells = [SweepCell(0, 0, 0), SweepCell(1, 1, 0), SweepCell(0, 1, 0)]
    together, mnist = swept(CONFIG, *cells), data.load()
    for result, cell in zip(together, cells, strict=True):
        (alone,) = list(run_cells(CONFIG, [cell], mnist))[-1]
        for name in ("outcome", "since_step", "accuracy", "accuracy_over_steps"):
            assert np.array_equal(getattr(result, name), getattr(alone, name), equal_nan=True), name


def test_a_network_that_diverges_stops_and_the_others_go_on() -> None:
    base = BASE.replace(nonlinearity=Nonlinearity.IDENTITY)
    config = replace(CONFIG, base=base, y=SweepAxis("init_scale", (0.05, 10.0)), steps=100)
    calm, wild = swept(config, SweepCell(0, 0, 0), SweepCell(1, 2, 0))
    assert wild.outcome[0] == Outcome.DIVERGED
    assert wild.since_step[0] < 100
    assert np.isnan(wild.accuracy[0])
    assert calm.outcome.tolist() == [Outcome.TRAINED] * 2
    assert calm.accuracy[1] > 0.5  # with BN


def test_a_network_that_stays_at_chance_has_stalled() -> None:
    config = replace(CONFIG, y=SweepAxis("init_scale", (0.01, 0.1)), base=BASE.replace(hidden_layers=3), steps=250)
    (result,) = swept(config, SweepCell(0, 0, 0))
    assert result.outcome.tolist() == [Outcome.STALLED, Outcome.TRAINED]
    assert result.since_step[0] < 60


def test_accuracy_over_steps_begins_at_chance_and_ends_at_the_final_one() -> None:
    (result,) = swept(CONFIG, SweepCell(0, 1, 0))
    assert result.accuracy_over_steps.shape == (2, len(MOMENTS))
    assert np.isfinite(result.accuracy_over_steps).all()
    assert (result.accuracy_over_steps[:, 0] < 0.3).all()
    assert result.accuracy_over_steps[:, -1].tolist() == result.accuracy.tolist()


def test_nothing_is_given_out_before_all_of_it_is_known() -> None:
    *before, last = run_cells(CONFIG, [SweepCell(0, 0, 0), SweepCell(0, 1, 0)], data.load())
    assert set(before) == {()}
    assert len(last) == 2
