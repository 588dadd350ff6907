"""MNIST: verified, loaded once, served in seeded batches."""

import gzip
import hashlib
import logging
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from bnviz.config import CLASSES, INPUT_PIXELS, TRAIN_IMAGES, InputForm, Sampling
from bnviz.errors import DataError

logger = logging.getLogger(__name__)

FOLDER: Final = Path(__file__).resolve().parent.parent / "assets" / "mnist"
BINARY_THRESHOLD: Final = 127  # of 255: a pixel above one half
_IMAGE_HEADER: Final = 16  # bytes before the pixels in the IDX format
_LABEL_HEADER: Final = 8


class Mnist:
    """The 60,000 training and 10,000 test images of handwritten digits.

    Attributes:
        train_images: [60000, 784] uint8, 0 (background) to 255.
        train_labels: [60000] int64, the digit.
        test_images: [10000, 784] uint8.
        test_labels: [10000] int64.

    Source: Y. LeCun and C. Cortes, CC BY-SA 3.0.
    """

    def __init__(self, train_images: Tensor, train_labels: Tensor, test_images: Tensor, test_labels: Tensor) -> None:
        self.train_images, self.train_labels = train_images, train_labels
        self.test_images, self.test_labels = test_images, test_labels
        self._inputs: dict[tuple[InputForm, torch.device], tuple[Tensor, Tensor]] = {}
        self._labels: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def inputs(self, form: InputForm, device: torch.device) -> tuple[Tensor, Tensor]:
        """What the networks see: ([60000, 784], [10000, 784]) float32 on the device, made once a form and device."""
        key = (form, device)
        if key not in self._inputs:
            train, test = self.train_images.to(device), self.test_images.to(device)
            self._inputs[key] = (self._in_form(train, form), self._in_form(test, form))
        return self._inputs[key]

    def labels(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The digits of the training and of the test images, on the device: ([60000], [10000]) int64."""
        if device not in self._labels:
            self._labels[device] = (self.train_labels.to(device), self.test_labels.to(device))
        return self._labels[device]

    def _in_form(self, pixels: Tensor, form: InputForm) -> Tensor:
        if form is InputForm.BINARY:
            return (pixels > BINARY_THRESHOLD).float()
        raw = pixels.float().div_(255)
        if form is InputForm.RAW:
            return raw
        mean, std = self._training_moments
        return raw.sub_(mean).div_(std)

    @property
    def _training_moments(self) -> tuple[float, float]:
        """Mean and standard deviation of all training pixels in [0, 1], exact: from counts of the 256 grey levels."""
        counts = torch.bincount(self.train_images.flatten(), minlength=256).double()
        level = torch.arange(256, dtype=torch.float64) / 255
        mean = float((counts * level).sum() / counts.sum())
        variance = float((counts * (level - mean) ** 2).sum() / counts.sum())
        return mean, variance**0.5


def load(folder: Path | None = None) -> Mnist:
    """MNIST from four gzip files, verified and read once a process.

    Raises:
        DataError: a file is missing or its content is not MNIST's; the text names the file and the remedy.
    """
    return _load((folder or FOLDER).resolve())


@lru_cache(maxsize=2)
def _load(folder: Path) -> Mnist:
    sums = _checksums(folder)
    arrays = [
        _read(folder, name, sums)
        for name in (
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        )
    ]
    return Mnist(*arrays)


def _checksums(folder: Path) -> dict[str, str]:
    path = folder / "SHA256SUMS"
    try:
        pairs = [line.split() for line in path.read_text().splitlines() if line.strip()]
        return {name: digest for digest, name in pairs}
    except (OSError, ValueError, UnicodeDecodeError):
        raise _trouble(path, "is missing or unreadable") from None


def _read(folder: Path, name: str, sums: dict[str, str]) -> Tensor:
    path = folder / f"{name}.gz"
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise _trouble(path, "is missing") from None
    except (OSError, EOFError, zlib.error):
        raise _trouble(path, "is damaged (it cannot be decompressed)") from None
    if hashlib.sha256(content).hexdigest() != sums.get(name):
        raise _trouble(path, "is damaged (its SHA-256 sum is not the one in SHA256SUMS)")
    if "images" in name:
        pixels = np.frombuffer(content, np.uint8, offset=_IMAGE_HEADER).reshape(-1, INPUT_PIXELS)
        return torch.from_numpy(pixels.copy())
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=_LABEL_HEADER).astype(np.int64))


def _trouble(path: Path, what: str) -> DataError:
    """The file by its name, as a page says it; where it lies on the server is the log's to know."""
    logger.error("%s %s", path, what)
    return DataError(f"MNIST's {path.name} {what}: {_REMEDY}")


_REMEDY: Final = "restore assets/mnist from the project's repository."


class Batches:
    """The order in which the training images are seen: each epoch a fresh permutation, drawn from the seed.

    It needs nothing but (seed, epoch, position) to go on exactly, and never touches torch's global random numbers.
    The batch size may change between any two batches; what is left of an epoch when it is smaller than the batch
    is dropped (BN has no variance on a batch of one).

    Args:
        labels: [count] of the images, where the sampling goes by them: an epoch is then sorted by class, or every
            mini-batch is half of one class and half of another, both drawn for it.
    """

    def __init__(
        self,
        seed: int,
        count: int = TRAIN_IMAGES,
        epoch: int = 0,
        position: int = 0,
        sampling: Sampling = Sampling.SHUFFLED,
        labels: Tensor | None = None,
    ) -> None:
        self.seed, self.count, self.epoch, self.position = seed, count, epoch, position
        self.sampling = sampling
        self._labels = None if labels is None or sampling is Sampling.SHUFFLED else labels.cpu().numpy()
        self._members: list[Any] = []  # of each class, where mini-batches are drawn from them
        if sampling is Sampling.TWO_CLASSES and self._labels is not None:
            self._members = [np.flatnonzero(self._labels == k) for k in range(CLASSES)]
        self._order = self._permutation()

    def _permutation(self) -> Tensor:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.count)
        if self.sampling is Sampling.SORTED and self._labels is not None:
            order = order[np.argsort(self._labels[order], kind="stable")]
        return torch.from_numpy(order)

    def _of_two_classes(self, batch_size: int) -> Tensor:
        rng = np.random.default_rng((self.seed, self.epoch, self.position, batch_size))
        classes = rng.permutation(CLASSES)[:2]
        sizes = (batch_size - batch_size // 2, batch_size // 2)
        drawn = [rng.choice(self._members[k], size, replace=False) for k, size in zip(classes, sizes, strict=True)]
        return torch.from_numpy(np.concatenate(drawn))

    def take(self, batch_size: int) -> Tensor:
        """Indices of the next mini-batch: [batch_size] int64, on the CPU."""
        if not 0 < batch_size <= self.count:
            raise ValueError(f"batch_size={batch_size}: take from 1 to {self.count} images")
        if self.position + batch_size > self.count:
            self.epoch, self.position = self.epoch + 1, 0
            self._order = self._permutation()
        if self.sampling is Sampling.TWO_CLASSES:
            drawn = self._of_two_classes(batch_size)
            self.position += batch_size
            return drawn
        start, self.position = self.position, self.position + batch_size
        return self._order[start : self.position]

    def peek(self, batch_size: int) -> Tensor:
        """The indices that `take` gives next."""
        ahead = Batches.__new__(Batches)
        ahead.__dict__.update(self.__dict__)
        return ahead.take(batch_size)
