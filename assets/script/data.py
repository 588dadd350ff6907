"""MNIST, and the order in which its images are seen."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import torch

SUMS = {  # SHA-256 of the four files, decompressed
    # @SUMS@
}


def load(folder):
    """Training images [60000, 784] and digits [60000], and the same of the 10,000 test images."""
    contents = []
    for name, expected in SUMS.items():
        path = Path(folder) / f"{name}.gz"
        content = gzip.decompress(path.read_bytes())
        if hashlib.sha256(content).hexdigest() != expected:
            raise SystemExit(f"{path} is not MNIST's: its SHA-256 sum is another.")
        contents.append(np.frombuffer(content, np.uint8, offset=16 if "images" in name else 8))
    train, train_digits, test, test_digits = contents
    pixels = [torch.from_numpy(one.reshape(-1, 784).copy()) for one in (train, test)]
    digits = [torch.from_numpy(one.astype(np.int64)) for one in (train_digits, test_digits)]
    images = [in_form(one, pixels[0]) for one in pixels]
    return images[0], digits[0], images[1], digits[1]


def in_form(pixels, training_pixels):
    """What the networks see of the pixels, 0 to 255."""
    if INPUT_FORM == "binary":
        return (pixels > 127).float()
    raw = pixels.float() / 255
    if INPUT_FORM == "raw":
        return raw
    values = training_pixels.double() / 255
    return (raw - float(values.mean())) / float(values.std(correction=0))


class MiniBatches:
    """Every epoch a fresh permutation of the training images; what is left over at its end is dropped."""

    def __init__(self, digits):
        self.digits, self.epoch, self.position = digits.numpy(), 0, 0
        self.order = self.permutation()

    def permutation(self):
        order = np.random.default_rng((SEED, self.epoch)).permutation(len(self.digits))
        if SAMPLING == "sorted":  # all zeros, then all ones, ...
            order = order[np.argsort(self.digits[order], kind="stable")]
        return order

    def take(self, size):
        """Which images come next."""
        if self.position + size > len(self.digits):
            self.epoch, self.position = self.epoch + 1, 0
            self.order = self.permutation()
        start, self.position = self.position, self.position + size
        if SAMPLING == "two_classes":
            return torch.from_numpy(self.of_two_classes(start, size))
        return torch.from_numpy(self.order[start : self.position])

    def of_two_classes(self, start, size):
        """Half of one digit and half of another, both drawn for this mini-batch."""
        rng = np.random.default_rng((SEED, self.epoch, start, size))
        first, second = rng.permutation(10)[:2]
        halves = ((first, size - size // 2), (second, size // 2))
        return np.concatenate([rng.choice(np.flatnonzero(self.digits == k), n, replace=False) for k, n in halves])
