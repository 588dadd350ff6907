"""Changed test images: what each change does, against its formula."""

import numpy as np
import pytest
import torch

from bnviz.measure.changed_images import changed
from bnviz.records import AMOUNTS, CHANGES

IMAGES = torch.rand(8, 784, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("change", CHANGES)
def test_the_amount_zero_changes_nothing(change: str) -> None:
    assert torch.equal(changed(IMAGES, change, 0.0), IMAGES)


@pytest.mark.parametrize("change", CHANGES)
def test_every_amount_stays_within_black_and_white_and_leaves_the_original_alone(change: str) -> None:
    before = IMAGES.clone()
    for amount in AMOUNTS[CHANGES.index(change)]:
        found = changed(IMAGES, change, float(amount))
        assert found.shape == IMAGES.shape
        assert 0 <= float(found.min()) <= float(found.max()) <= 1
    assert torch.equal(IMAGES, before)


def test_inverted_wholly_is_the_negative_and_twice_the_original() -> None:
    negative = changed(IMAGES, "inverted", 1.0)
    torch.testing.assert_close(negative, 1 - IMAGES)
    torch.testing.assert_close(changed(negative, "inverted", 1.0), IMAGES)


def test_inverted_half_way_leaves_nothing_of_a_digit() -> None:
    torch.testing.assert_close(changed(IMAGES, "inverted", 0.5), torch.full_like(IMAGES, 0.5))


def test_noise_is_the_same_for_the_same_seed_and_scales_with_its_amount() -> None:
    grey = torch.full((50, 784), 0.5)
    small, large = changed(grey, "noisy", 0.05, seed=3), changed(grey, "noisy", 0.1, seed=3)
    assert torch.equal(small, changed(grey, "noisy", 0.05, seed=3))
    assert not torch.equal(small, changed(grey, "noisy", 0.05, seed=4))
    torch.testing.assert_close(2 * (small - 0.5), large - 0.5)
    assert float((small - 0.5).std()) == pytest.approx(0.05, rel=0.02)


def test_images_shift_in_four_directions_in_turn_and_black_comes_in() -> None:
    pixels = IMAGES.view(-1, 28, 28).numpy()
    shifted = changed(IMAGES, "shifted", 3.0).view(-1, 28, 28).numpy()
    for image, (axis, distance) in enumerate([(1, 3), (0, 3), (1, -3), (0, -3)] * 2):
        rolled = np.roll(pixels[image], distance, axis=axis)
        edge = [slice(None), slice(None)]
        edge[axis] = slice(0, 3) if distance > 0 else slice(-3, None)
        rolled[tuple(edge)] = 0
        np.testing.assert_array_equal(shifted[image], rolled)


def test_an_unknown_change_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="upside-down"):
        changed(IMAGES, "upside-down", 0.5)
