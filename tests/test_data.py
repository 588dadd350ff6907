"""MNIST comes verified, in the form asked for, and in an order that the seed alone decides."""

import gzip
import shutil

import numpy as np
import pytest
import torch

from bnviz import data
from bnviz.config import InputForm, Sampling
from bnviz.data import Batches
from bnviz.errors import DataError

CPU = torch.device("cpu")
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture(scope="module")
def mnist():
    return data.load()


@pytest.fixture
def folder(tmp_path):
    """A copy of the data set that a test may damage."""
    return shutil.copytree(data.FOLDER, tmp_path / "mnist")


def test_the_whole_data_set_is_there(mnist):
    assert mnist.train_images.shape == (60_000, 784)
    assert mnist.test_images.shape == (10_000, 784)
    assert torch.bincount(mnist.train_labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert mnist.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_it_is_read_once_a_process(mnist):
    assert data.load() is mnist
    assert mnist.inputs(InputForm.BINARY, CPU)[0] is mnist.inputs(InputForm.BINARY, CPU)[0]


def test_binary_is_one_above_one_half_and_zero_elsewhere(mnist):
    train, test = mnist.inputs(InputForm.BINARY, CPU)
    assert train.dtype == torch.float32
    assert torch.equal(train[:500], (mnist.train_images[:500].double() / 255 > 0.5).float())
    assert set(test.unique().tolist()) == {0.0, 1.0}


def test_raw_is_the_grey_level_in_0_to_1(mnist):
    _, test = mnist.inputs(InputForm.RAW, CPU)
    assert torch.allclose(test, mnist.test_images.float() / 255)


@pytest.mark.slow
def test_standardised_uses_the_training_images_moments_for_both(mnist):
    raw = mnist.train_images.double() / 255
    mean, std = raw.mean(), raw.std(unbiased=False)
    train, test = mnist.inputs(InputForm.STANDARDISED, CPU)
    assert torch.allclose(test, ((mnist.test_images.double() / 255 - mean) / std).float(), atol=1e-5)
    assert train.double().mean().abs() < 1e-4
    assert train.double().std().item() == pytest.approx(1, abs=1e-4)


def test_a_missing_file_is_named_with_the_remedy(folder):
    (folder / TRAIN_IMAGES).unlink()
    with pytest.raises(DataError, match=rf"^MNIST's {TRAIN_IMAGES} is missing: restore assets/mnist"):
        data.load(folder)


def test_a_missing_list_of_sums_is_named_with_the_remedy(folder):
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(DataError, match=r"SHA256SUMS is missing or unreadable: restore assets/mnist"):
        data.load(folder)


@pytest.mark.parametrize("damage", ["cut short", "not gzip", "one pixel changed"])
def test_a_damaged_file_is_named_with_the_remedy(folder, damage):
    path = folder / "t10k-images-idx3-ubyte.gz"
    content = path.read_bytes()
    if damage == "cut short":
        path.write_bytes(content[:-1000])
    elif damage == "not gzip":
        path.write_bytes(b"<!doctype html>")
    else:
        pixels = bytearray(gzip.decompress(content))
        pixels[5000] ^= 1
        path.write_bytes(gzip.compress(bytes(pixels), compresslevel=1))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz is damaged .*restore assets/mnist"):
        data.load(folder)


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order():
    batches = Batches(seed=3, count=600)
    epochs = [torch.cat([batches.take(60) for _ in range(10)]) for _ in range(2)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(600))
    assert not torch.equal(*epochs)


def test_the_tail_of_an_epoch_smaller_than_the_batch_is_dropped():
    batches = Batches(seed=0, count=100)
    sizes = [len(batches.take(60)) for _ in range(3)]
    assert sizes == [60, 60, 60]
    assert batches.epoch == 2


def test_the_order_goes_on_exactly_from_seed_epoch_and_position_whatever_the_batch_sizes():
    sizes = [60, 2, 100, 333, 60, 200, 7]
    batches = Batches(seed=5, count=500)
    for size in sizes:
        batches.take(size)
    again = Batches(5, 500, batches.epoch, batches.position)
    for size in sizes:
        assert torch.equal(batches.take(size), again.take(size))


def test_the_order_depends_on_the_seed_alone():
    torch.manual_seed(0)
    np.random.seed(0)
    first = Batches(1).take(1000)
    torch.manual_seed(9)
    np.random.seed(9)
    state = torch.get_rng_state()
    assert torch.equal(Batches(1).take(1000), first)
    assert not torch.equal(Batches(2).take(1000), first)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("size", [0, -1, 501])
def test_an_impossible_batch_is_refused(size):
    with pytest.raises(ValueError, match=f"batch_size={size}"):
        Batches(seed=0, count=500).take(size)


def labelled(sampling: Sampling, **place: int) -> Batches:
    """Batches of six hundred images, sixty of each class."""
    labels = torch.arange(600) % 10
    return Batches(seed=4, count=600, sampling=sampling, labels=labels, **place)


def test_a_batch_of_two_classes_holds_half_of_each_without_repeating_an_image():
    batches = labelled(Sampling.TWO_CLASSES)
    pairs = set()
    for _ in range(20):
        taken = batches.take(21)
        classes, counts = torch.unique(taken % 10, return_counts=True)
        assert sorted(counts.tolist()) == [10, 11]
        assert len(set(taken.tolist())) == 21
        pairs.add(tuple(classes.tolist()))
    assert len(pairs) > 5


def test_sorted_images_come_class_after_class_and_shuffled_within_each():
    batches = labelled(Sampling.SORTED)
    first = batches.take(600)
    assert (torch.diff(first % 10) >= 0).all()
    assert sorted(first.tolist()) == list(range(600))
    assert first[:60].tolist() != sorted(first[:60].tolist())
    assert batches.take(600).tolist() != first.tolist()


@pytest.mark.parametrize("sampling", list(Sampling))
def test_every_order_goes_on_exactly_from_seed_epoch_and_position(sampling):
    batches = labelled(sampling)
    for size in (60, 7, 100):
        batches.take(size)
    again = labelled(sampling, epoch=batches.epoch, position=batches.position)
    assert torch.equal(batches.peek(50), again.peek(50))
    for size in (50, 90, 60):
        assert torch.equal(batches.take(size), again.take(size))


def test_the_first_images_hold_more_than_a_twentieth_of_every_class() -> None:
    """From which mini-batches of two classes are drawn; see `config.rules`."""
    is_of_class = data.load().train_labels[:, None] == torch.arange(10)
    rarest = is_of_class.cumsum(0).min(dim=1).values[99:]
    assert (rarest >= torch.arange(100, 60_001) // 20).all()
