"""The pitfall of frozen statistics, in SCIENCE's figures (section 4), with generous margins."""

import numpy as np
import pytest

from bnviz import data
from bnviz.config import LandscapeConfig, Settings, Statistics
from bnviz.records import Landscape
from bnviz.training import Trainer

pytestmark = pytest.mark.slow

RELU = Settings().replace(nonlinearity="relu", initialization="he", init_scale=1.0, learning_rate=0.1)


def trained(settings: Settings) -> Trainer:
    trainer = Trainer(settings, data.load())
    for _ in range(1000):
        trainer.step(settings.hyper)
    return trainer


def losses(trainer: Trainer, statistics: Statistics) -> np.ndarray:
    """The mean loss one and two lengths of the weights away, along two pairs of random directions: [2 networks, 2]."""
    pictures = []
    for seed in range(2):
        config = LandscapeConfig("random", statistics, resolution=17, span=2, images=512, batches=1, seed=seed)
        *_, picture = trainer.landscape(config)
        pictures.append([[_at(picture, k, distance) for distance in (1, 2)] for k in range(2)])
    return np.mean(pictures, axis=0)


def _at(landscape: Landscape, k: int, distance: float) -> float:
    low, middle, high = (int(np.argmin(np.abs(landscape.alpha - place))) for place in (-distance, 0, distance))
    loss = landscape.loss[k, 0]
    return float(np.mean([loss[middle, low], loss[middle, high], loss[low, middle], loss[high, middle]]))


def test_with_relu_bn_looks_flat_on_the_batchs_statistics_and_as_steep_as_without_on_frozen_ones() -> None:
    trainer = trained(RELU)
    batch, running = (losses(trainer, statistics) for statistics in (Statistics.BATCH, Statistics.RUNNING))
    assert batch[0] == pytest.approx([3.1, 31], rel=0.3)  # without BN: nothing to freeze
    assert running[0] == pytest.approx(batch[0], rel=1e-6)
    assert batch[1] == pytest.approx([1.4, 4.8], rel=0.3)
    assert running[1] == pytest.approx([3.5, 39], rel=0.3)


def test_with_sigmoids_bn_is_not_flatter() -> None:
    without, with_bn = losses(trained(Settings()), Statistics.BATCH)
    assert without == pytest.approx([1.0, 4.3], rel=0.35)
    assert with_bn == pytest.approx([1.0, 5.1], rel=0.35)
