"""The cells of a sweep: side by side they come to what each comes to as a run of its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bnviz import data
from bnviz.config import Settings, SweepAxis, SweepCell, SweepConfig, batches
from bnviz.records import MOMENTS, CellResult, Condition, Outcome
from bnviz.training import Trainer, train_cells

BASE = Settings().replace(hidden_layers=1, width=20)
SMALL = SweepConfig(
    y=SweepAxis("init_scale", (0.01, 0.1)), x=SweepAxis("learning_rate", (0.1, 1.0, 30.0)), base=BASE, steps=30, seeds=2
)


@pytest.fixture(scope="module")
def mnist() -> data.Mnist:
    return data.load()


def results_of(config: SweepConfig, cells: tuple[SweepCell, ...], mnist: data.Mnist) -> tuple[CellResult, ...]:
    *_, last = train_cells(config, cells, mnist)
    return last


def right_of(accuracy: np.ndarray) -> np.ndarray:
    """Test images classified rightly, which are whole; NaN for a network that has diverged."""
    right = 10_000 * accuracy.astype(np.float64)
    np.testing.assert_allclose(right, np.round(right), atol=0.01)
    return np.round(right)


def alone(config: SweepConfig, cell: SweepCell, mnist: data.Mnist) -> Trainer:
    """The run of the lab that this cell is, as far as the sweep takes it."""
    settings = config.settings_of(cell)
    trainer = Trainer(settings, mnist)
    for _ in range(config.steps):
        trainer.step(settings.hyper)
    return trainer


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        replace(SMALL, base=BASE.replace(nonlinearity="relu", initialization="he", init_scale=1.0)),
        replace(SMALL, base=BASE.replace(optimizer="adam", networks=("none", "layer", "lsuv")), seeds=1),
        replace(SMALL, y=SweepAxis("batch_size", (8, 60)), seeds=1),
    ],
    ids=["sigmoid", "ReLU", "own starts and Adam", "batch size"],
)
def test_a_cell_comes_to_exactly_what_its_run_in_the_lab_comes_to(config: SweepConfig, mnist: data.Mnist) -> None:
    for batch in batches(config, config.cells):
        for found in results_of(config, batch, mnist):
            run = alone(config, found.cell, mnist)
            expected = run.measure(is_scheduled=False)
            np.testing.assert_array_equal(right_of(found.accuracy), right_of(expected.accuracy))
            diverged = [one.condition is Condition.DIVERGED for one in run.health]
            np.testing.assert_array_equal(found.outcome == Outcome.DIVERGED, diverged)


def test_a_batch_of_cells_is_one_stack_and_its_order_does_not_matter(mnist: data.Mnist) -> None:
    (batch, *_) = [one for one in batches(SMALL, SMALL.cells) if len(one) > 1]
    there, back = results_of(SMALL, batch, mnist), results_of(SMALL, batch[::-1], mnist)
    assert [one.cell for one in there] == list(batch)
    for one, other in zip(there, back[::-1], strict=True):
        np.testing.assert_array_equal(one.accuracy_over_steps, other.accuracy_over_steps)


def test_accuracy_over_steps_begins_before_training_and_ends_on_all_test_images(mnist: data.Mnist) -> None:
    cell = SweepCell(1, 1, 0)
    (found,) = results_of(SMALL, (cell,), mnist)
    assert found.accuracy_over_steps.shape == (2, len(MOMENTS))
    assert found.accuracy_over_steps[:, 0] == pytest.approx(0.1, abs=0.08)
    np.testing.assert_array_equal(found.accuracy_over_steps[:, -1], found.accuracy)
    assert (found.accuracy * 10_000) == pytest.approx(np.round(found.accuracy * 10_000))


def test_a_network_that_diverges_says_when_and_has_no_accuracy(mnist: data.Mnist) -> None:
    explosive = replace(
        SMALL, base=BASE.replace(nonlinearity="identity", init_scale=1.0), y=SweepAxis("init_scale", (10.0,)), seeds=1
    )
    (found,) = results_of(explosive, (SweepCell(0, 2, 0),), mnist)
    assert found.outcome[0] == Outcome.DIVERGED
    assert np.isnan(found.accuracy[0])
    assert 1 <= found.since_step[0] <= explosive.steps


def test_a_network_at_chance_at_the_end_has_stalled(mnist: data.Mnist) -> None:
    slow = replace(
        SMALL, y=SweepAxis("init_scale", (0.01,)), x=SweepAxis("learning_rate", (0.001,)),
        base=BASE.replace(hidden_layers=6), steps=210, seeds=1,
    )  # fmt: skip
    (found,) = results_of(slow, (SweepCell(0, 0, 0),), mnist)
    assert found.outcome[0] == Outcome.STALLED
    assert found.since_step[0] <= 10


def test_the_same_cells_give_the_same_results_bit_for_bit(mnist: data.Mnist) -> None:
    cells = (SweepCell(0, 0, 1), SweepCell(1, 2, 1))
    first, second = (results_of(SMALL, cells, mnist) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.accuracy_over_steps, other.accuracy_over_steps)


def test_between_two_items_lies_little_work(mnist: data.Mnist) -> None:
    items = sum(1 for _ in train_cells(SMALL, SMALL.cells[:1], mnist))
    assert items > len(MOMENTS)
    assert torch.is_inference_mode_enabled() is False
