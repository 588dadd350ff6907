"""Test images that differ from those of training: inverted, noisy or shifted."""

import torch
from torch import Tensor

from bnviz.records import CHANGES

SIDE = 28
_DIRECTIONS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # down and right, in turn


def changed(images: Tensor, change: str, amount: float, seed: int = 0) -> Tensor:
    """The images with a change of this amount, in [0, 1]; of the amount 0 as they are.

    inverted: (1 - amount) x + amount (1 - x). noisy: x plus Gaussian noise whose standard deviation is the amount, cut
    off at 0 and 1. shifted: by `amount` pixels to the right, down, left or up, image by image in turn; what comes in is
    black.

    Args:
        images: [m, 784] in [0, 1].
        change: one of `CHANGES`.
        amount: as in `AMOUNTS`.
        seed: of the noise: the same for all amounts.
    """
    match change:
        case "inverted":
            return (1 - amount) * images + amount * (1 - images)
        case "noisy":
            generator = torch.Generator().manual_seed(seed)
            noise = torch.randn(images.shape, generator=generator).to(images)
            return (images + amount * noise).clamp_(0, 1)
        case "shifted":
            return _shifted(images, round(amount))
    raise ValueError(f"{change!r} is no change: choose one of {', '.join(CHANGES)}.")


def _shifted(images: Tensor, pixels: int) -> Tensor:
    padded = torch.nn.functional.pad(images.view(-1, SIDE, SIDE), [pixels] * 4)
    shifted = torch.empty_like(images).view(-1, SIDE, SIDE)
    for turn, (down, right) in enumerate(_DIRECTIONS):
        top, left = pixels - pixels * down, pixels - pixels * right
        every = slice(turn, None, len(_DIRECTIONS))
        shifted[every] = padded[every, top : top + SIDE, left : left + SIDE]
    return shifted.flatten(1)
