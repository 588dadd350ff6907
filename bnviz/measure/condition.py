"""How each network fares: at chance for long, or no longer finite, and where that began."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from bnviz.models import Activations, Stack
from bnviz.records import Condition, Health

WINDOW: Final = 200  # steps
COMMONEST_DIGIT: Final = 6742 / 60_000  # share of the ones in the training set: what a constant answer gets right


class ChanceWatch:
    """Whether one network has done no better than chance over the last 200 steps.

    Chance means: of the images in the last 200 mini-batches it classified correctly, as it trained on them, no larger
    a share than always naming the commonest digit would (0.112), plus three standard errors of that many images. A
    network leaves the condition as soon as its share over the last 200 steps is larger again.
    """

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque()  # (images classified correctly, images) of each step
        self._hits, self._images = 0.0, 0.0

    def add(self, hits: float, images: float) -> None:
        """One more step."""
        self._recent.append((hits, images))
        self._hits, self._images = self._hits + hits, self._images + images
        if len(self._recent) > WINDOW:
            hits, images = self._recent.popleft()
            self._hits, self._images = self._hits - hits, self._images - images

    @property
    def is_at_chance(self) -> bool:
        if len(self._recent) < WINDOW:
            return False
        standard_error = math.sqrt(COMMONEST_DIGIT * (1 - COMMONEST_DIGIT) / self._images)
        return self._hits / self._images <= COMMONEST_DIGIT + 3 * standard_error

    def state(self) -> Tensor:
        """[steps watched, 2]"""
        return torch.tensor(list(self._recent), dtype=torch.float64).reshape(-1, 2)

    def restore(self, state: Tensor) -> None:
        for hits, images in state.tolist():
            self.add(hits, images)


@dataclass(frozen=True)
class Cause:
    """Where a network's values went non-finite first: weight layer (from 1), what, and whether one step earlier."""

    layer: int
    what: str  # "gradient", "weights", "inputs" or "loss"
    was_step_before: bool


def first_not_finite(stack: Stack, network: int, batch: Activations, last: Activations | None) -> Cause:
    """Where it began for a network whose loss has just come out non-finite.

    Looked at in the order of computation: the last step's backward pass (from the last layer down), the weights it
    left, then this step's forward pass (from the first layer up). `batch` is what forward and loss have just run on,
    `last` what the step before left, None if there was none.
    """
    layers = range(len(stack.parameters.weights))
    broken = [layer for layer in layers if not _are_numbers_finite(stack, network, layer)]
    if broken:
        for layer in reversed(layers[:-1]):  # the output layer's was finite, as the loss before it was
            if last is not None and not _is_finite(last.deltas[layer][network]):
                return Cause(layer + 1, "gradient", was_step_before=True)
        return Cause(max(broken) + 1, "weights", was_step_before=True)
    for layer in layers:
        if not _is_finite(batch.products[layer][network]):
            return Cause(layer + 1, "inputs", was_step_before=False)
    return Cause(len(layers), "loss", was_step_before=False)


def _are_numbers_finite(stack: Stack, network: int, layer: int) -> bool:
    """Whether weights, bias, gamma and beta of a layer are."""
    numbers = stack.parameters.named(network)
    names = (f"{kind}.{layer + 1}" for kind in ("weight", "bias", "gamma", "beta"))
    return all(_is_finite(numbers[name]) for name in names if name in numbers)


def _is_finite(values: Tensor) -> bool:
    return bool(values.isfinite().all())


_CONDITIONS: Final = tuple(Condition)
_CAUSES: Final = ("", "inputs", "gradient", "weights", "loss")


def health_to_tensor(health: Health) -> Tensor:
    """[condition, since_step, layer, what], -1 for None."""
    since = -1 if health.since_step is None else health.since_step
    layer = -1 if health.layer is None else health.layer
    row = [_CONDITIONS.index(health.condition), since, layer, _CAUSES.index(health.what)]
    return torch.tensor(row, dtype=torch.float64)


def health_from_tensor(tensor: Tensor) -> Health:
    """The inverse of `health_to_tensor`."""
    condition, since, layer, what = (int(value) for value in tensor.tolist())
    return Health(_CONDITIONS[condition], None if since < 0 else since, None if layer < 0 else layer, _CAUSES[what])
