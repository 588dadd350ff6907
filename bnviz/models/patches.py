"""Convolutions as matrix products: the patches that a weight matrix sees, and the way back to the pixels.

Values with space are rows of images and positions, channels last: [.., b * side², c]. A patch is a row of its own,
[taps, taps, c] flattened, so that a convolution is patches @ W with W [taps² c, n]: `torch.nn.Conv2d`'s weights
[n, c, taps, taps] with n and c moved to the end.

Shapes: b = images, c = channels (feature maps), s = side of a map, o = positions a side of the patches.
"""

from functools import lru_cache
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from bnviz.config import IMAGE_SIDE, KERNEL, STRIDE, ModelConfig
from bnviz.models.lit_pixels import sums_of_rows

_TAPS: Final = KERNEL**2


def seen_by(model: ModelConfig, layer: int, u: Tensor) -> Tensor:
    """What a weight layer, counted from 0, sees of the layer below, or of the images: autograd differentiates it.

    [.., b, n_0] or [.., b s², n] to [.., b s², n_in]; where fully connected it is u itself.
    """
    if not model.is_convolutional:
        return u
    if layer == 0:
        return patches(u.flatten(-2)[..., None], IMAGE_SIDE)
    side = model.layers[layer - 1].side
    return patches(u, side) if layer < model.hidden_layers else flattened(u, side)


def patches(rows: Tensor, side: int) -> Tensor:
    """The patches of maps, as autograd differentiates them. [.., b s², c] to [.., b o², taps² c]"""
    return _seen(rows, side).reshape(*rows.shape[:-2], -1, _TAPS * rows.shape[-1])


def _seen(rows: Tensor, side: int) -> Tensor:
    """The same as a view, each number as often as it is seen. [.., b s², c] to [.., b, o, o, taps, taps, c]"""
    maps = rows.view(*rows.shape[:-2], -1, side, side, rows.shape[-1])
    height, width = maps.dim() - 3, maps.dim() - 2
    windows: Tensor = maps.unfold(height, KERNEL, STRIDE).unfold(width, KERNEL, STRIDE)  # [.., b, o, o, c, taps, taps]
    return windows.movedim(-3, -1)


@lru_cache(maxsize=8)
def _seen_by(side: int) -> tuple[Tensor, Tensor]:
    """For each number of a map, in which patches and where it is: places [o² taps²], and how many of them each has.

    The last row and column are in no patch where the stride does not reach them.
    """
    number = _seen(torch.arange(side**2)[:, None], side).flatten()
    return number.argsort(stable=True), number.bincount(minlength=side**2)


class Unfolding:
    """The patches of one batch's maps, taken anew at every pass, and their gradient's way back.

    Each number's gradient is the sum over the patches that see it, always in the same order.

    Attributes:
        rows: [K, b o², taps² c], the patches once `gather` has been called.
        d_rows: of the same shape, what `scatter` adds up.

    Args:
        maps: [K, b s², c], a view without the padding; d_maps: likewise, where the gradient goes.
        side: s.
    """

    def __init__(self, maps: Tensor, d_maps: Tensor, side: int) -> None:
        networks, _, channels = maps.shape
        self._maps, self._d_maps = maps, d_maps
        self._close = maps.new_zeros(maps.shape)  # without the gaps of the padding copies are several times faster
        self._seen = _seen(self._close, side)
        self._patches = maps.new_zeros(self._seen.shape)
        self.rows = self._patches.view(networks, -1, _TAPS * channels)
        self.d_rows = torch.zeros_like(self.rows)
        places, counts = _seen_by(side)
        images = networks * maps.shape[1] // side**2
        begins = len(places) * torch.arange(images)[:, None]
        self._places = (begins + places).flatten().to(maps.device, torch.int32)
        ends = functional.pad(counts.repeat(images).cumsum(0), (1, 0))
        self._ends = ends.to(maps.device, torch.int32)

    def gather(self) -> None:
        """rows <- the patches of the maps."""
        self._close.copy_(self._maps)
        self._patches.copy_(self._seen)

    def scatter(self) -> None:
        """d_maps <- the sums of `d_rows`."""
        numbers = self.d_rows.view(-1, self._maps.shape[2])
        self._d_maps.copy_(sums_of_rows(numbers, self._places, self._ends).view(self._maps.shape))


class Flattening:
    """All positions of an image side by side, as a fully connected layer sees them; see `Unfolding`.

    Attributes:
        rows, d_rows: [K, b, s² c].
    """

    def __init__(self, maps: Tensor, d_maps: Tensor, side: int) -> None:
        networks, _, channels = maps.shape
        self._maps, self._d_maps = (_by_image(one, side) for one in (maps, d_maps))
        self._flat = maps.new_zeros(self._maps.shape)
        self.rows = self._flat.view(networks, -1, side**2 * channels)
        self._d_flat = torch.zeros_like(self._flat)
        self.d_rows = self._d_flat.view(self.rows.shape)

    def gather(self) -> None:
        self._flat.copy_(self._maps)

    def scatter(self) -> None:
        self._d_maps.copy_(self._d_flat)


def flattened(rows: Tensor, side: int) -> Tensor:
    """The same as autograd differentiates it. [.., b s², c] to [.., b, s² c]"""
    return _by_image(rows, side).flatten(-2)


def convolved(u: Tensor, weights: Tensor, side: int) -> Tensor:
    """The convolutions of several networks by the library's own, without patches: several times as fast.

    For what needs no bit to be the same whatever stands beside it, and no gradient: test accuracy, landscapes. Here
    units stand before rows.

    Args:
        u: [p, c, b s²], or [1, c, b s²] where all networks see the same.
        weights: [p, n, taps² c].
        side: s.

    Returns:
        [p, n, b o²]
    """
    networks, n, _ = weights.shape
    channels = u.shape[1]
    maps = u.view(len(u), channels, -1, side, side).permute(2, 0, 1, 3, 4).flatten(1, 2)  # [b, p c, s, s]
    kernels = weights.reshape(networks * n, KERNEL, KERNEL, channels).permute(0, 3, 1, 2)
    found = functional.conv2d(maps, kernels, stride=STRIDE, groups=len(u))
    return found.view(len(maps), networks, n, -1).permute(1, 2, 0, 3).flatten(2)


def side_by_side(u: Tensor, side: int) -> Tensor:
    """`flattened` with units before rows: [p, c, b s²] to [p, s² c, b]"""
    return u.view(*u.shape[:2], -1, side**2).permute(0, 3, 1, 2).flatten(1, 2)


def _by_image(rows: Tensor, side: int) -> Tensor:
    """[.., b s², c] to [.., b, s², c]"""
    return rows.view(*rows.shape[:-2], -1, side**2, rows.shape[-1])
