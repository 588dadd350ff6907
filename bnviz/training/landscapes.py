"""Loss landscapes of a trainer's networks as records: those that have stopped have NaN."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.config import Directions, LandscapeConfig, Statistics, check_landscape
from bnviz.errors import ConfigError
from bnviz.measure.landscape import Picture, draw
from bnviz.measure.planes import plane_of
from bnviz.measure.weight_path import Walk
from bnviz.models import Stack
from bnviz.records import Contour, Floats, Landscape

LARGEST: Final = 1e15  # weights beyond it overflow in their squares' sum: a network that is about to diverge


def is_drawable(state: Tensor) -> bool:
    """Whether a network's numbers, [F], can be squared and summed."""
    return bool(state.abs().max() < LARGEST)  # False for NaN


@dataclass(frozen=True)
class Scene:
    """What is drawn: networks that nobody trains meanwhile.

    Attributes:
        step: that they are at.
        competitors: how many there are, those that have stopped included.
        training: which of them the stack holds, in its order.
        walk: their path.
        images, labels: the training set.
    """

    step: int
    competitors: int
    training: tuple[int, ...]
    stack: Stack
    walk: Walk
    images: Tensor
    labels: Tensor


def landscapes(
    scene: Scene, config: LandscapeConfig, earlier: Walk | None = None, has_lines: bool = True
) -> Iterator[Landscape]:
    """A landscape, a few ms further at each item; a plane that is not there is the `problem` of the only one.

    The arrays of an item grow until the next one: `Landscape.kept` copies them.
    """
    try:
        if not scene.training:
            raise ConfigError("The weights are about to overflow: there is nothing to draw. Lower the learning rate.")
        config = _within(config, len(scene.images))
        check_landscape(config, scene.stack.model, len(scene.stack))
        batch = None
        if config.directions is Directions.GRADIENT:
            batch = scene.stack.activations(config.images)
            batch.fill(scene.images[: config.images], scene.labels[: config.images])
        plane = plane_of(config, scene.stack, scene.walk, batch, earlier)
    except (ConfigError, torch.linalg.LinAlgError) as error:  # type: ignore[attr-defined]  # not in its stubs
        text = error.text if isinstance(error, ConfigError) else "This plane cannot be computed: choose another one."
        yield Landscape(scene.step, config, config.directions, config.statistics, 1.0, text)
        return
    for picture in draw(config, plane, scene.stack, scene.walk, scene.images, scene.labels, has_lines):
        yield _record(scene, config, picture, earlier)


def _within(config: LandscapeConfig, count: int) -> LandscapeConfig:
    """With smaller batches where so few training images do not fill them all."""
    return config.replace(images=min(config.images, count // config.batches))


def contours(scene: Scene, config: LandscapeConfig) -> Iterator[Contour]:
    """The lab's loss contour: the first batch of a landscape with the statistics of the batch."""
    for one in landscapes(scene, config.replace(statistics=Statistics.BATCH, batches=1), has_lines=False):
        if one.problem:
            return
        yield Contour(
            one.step,
            one.directions,
            one.images,
            one.alpha,
            one.beta,
            one.loss[:, 0].copy(),
            one.path_steps,
            one.path,
            one.share,
        )


def _record(scene: Scene, config: LandscapeConfig, picture: Picture, earlier: Walk | None) -> Landscape:
    plane = picture.plane
    return Landscape(
        step=scene.step,
        config=config,
        directions=plane.directions,
        statistics=plane.statistics,
        done=picture.done,
        images=config.images,
        alpha=picture.alpha,
        beta=picture.beta,
        loss=_of_all(scene, picture.loss),
        path_steps=np.array(scene.walk.steps, float),
        path=_of_all(scene, plane.path.transpose(1, 0, 2)),
        share=_of_all(scene, plane.share),
        points=plane.points,
        zero_units=_of_all(scene, plane.zero_units),
        cut_alpha=picture.cut_alpha,
        cut_loss=_of_all(scene, picture.cut_loss.swapaxes(0, 1)).swapaxes(0, 1),
        earlier_steps=np.array(earlier.steps if earlier else [], float),
        earlier_networks=earlier.names if earlier else (),
    )


def _of_all(scene: Scene, values: Floats) -> Floats:
    """Of all competitors, what was measured of those that still train. [K, ...] to [k, ...]"""
    if len(scene.training) == scene.competitors:
        return values
    spread: Floats = np.full((scene.competitors, *values.shape[1:]), np.nan, values.dtype)
    spread[list(scene.training)] = values
    return spread
