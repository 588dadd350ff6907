"""A linear unit with two inputs under five treatments: its loss, and how two descents fare on it.

    y = w·x,   L(w) = ½ mean (y − w*·x)² = ½ (w − w*)ᵀ H (w − w*),   H = E[x xᵀ]

Gradient descent multiplies the displacement along each eigenvector of H by 1 − η λ at every step: it is stable below
η = 2/λ_max, zigzags from 1/λ_max on, and is fastest, from the worst start, at
2/(λ_max + λ_min). Source: SCIENCE, section 5 (LeCun et al. 1998).

Shapes: t = treatments, n = samples, b = samples of a mini-batch, e = mini-batches of an epoch, s = steps drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from torch import Tensor

from bnviz.config import LinearUnitConfig, PixelForm, RateRule, Treatment, Whitening
from bnviz.measure.spectrum import spectrum_of
from bnviz.records import DIVERGED_RATIO, MOST_SGD_STEPS, TREATMENTS, Floats, LinearUnit, Spectrum

PIECE_STEPS: Final = 500  # of SGD between two items, a few ms
MOST_STEPS: Final = 1e15  # of gradient descent, beyond which nobody counts
_ON_THE_LIMIT: Final = 1e-9  # a rate that near the largest stable one neither converges nor diverges
_UNIT_SHARE: Final = 0.1  # of the work, the rest is the spectrum


def measure_linear_unit(config: LinearUnitConfig, pixels: Tensor, binary_threshold: int) -> Iterator[LinearUnit]:
    """The record again and again, with more of it filled in each time; the last one is whole.

    The first item has all but SGD's steps to the target and MNIST's spectrum. Between two items lie some ms of work,
    and some 50 for the eigenvalues of 784 x 784 numbers, four times; a process works out each spectrum but once.

    Args:
        config: the unit.
        pixels: [images, 784] uint8, 0 to 255, the same tensor at every call.
        binary_threshold: pixels above it are 1 in binary images.
    """
    unit = _Unit(config)
    spectrum = spectrum_of(pixels, binary_threshold if config.pixel_form is PixelForm.BINARY else None)
    while not unit.is_done:
        unit.advance()
        if not unit.is_done:
            yield unit.record(spectrum.record, _UNIT_SHARE * unit.step / MOST_SGD_STEPS)
    while spectrum.record.done < 1:
        yield unit.record(spectrum.record, _UNIT_SHARE + (1 - _UNIT_SHARE) * spectrum.record.done)
        spectrum.advance()
    yield unit.record(spectrum.record, 1.0)


# --- inputs -----------------------------------------------------------------------------------------------------------


def drawn_inputs(config: LinearUnitConfig) -> Floats:
    """A sample of two normal inputs with the means, standard deviations and correlation asked for. [n, 2]"""
    z = np.random.default_rng((config.seed, 0)).standard_normal((config.samples, 2))
    rho = config.correlation
    mixed = np.stack([z[:, 0], rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]], axis=1)
    inputs: Floats = np.array(config.means) + np.array(config.stds) * mixed
    return inputs


def treated_inputs(inputs: Floats, whitening: Whitening) -> Floats:
    """The sample under every treatment, by its own moments, which divide by n as BN's do. [n, 2] to [t, n, 2]"""
    centred = inputs - inputs.mean(axis=0)
    std = inputs.std(axis=0)
    treated = {
        Treatment.RAW: inputs,
        Treatment.CENTRED: centred,
        Treatment.SCALED: inputs / std,
        Treatment.STANDARDISED: centred / std,
        Treatment.WHITENED: centred @ whitening_matrix(centred.T @ centred / len(inputs), whitening).T,
    }
    return np.stack([treated[one] for one in TREATMENTS])


def whitening_matrix(covariance: Floats, whitening: Whitening) -> Floats:
    """W with W C Wᵀ = I: Λ^(-1/2) Dᵀ on the principal axes (PCA), D Λ^(-1/2) Dᵀ turned back from them (ZCA). [2, 2]"""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    on_axes: Floats = vectors.T[::-1] / np.sqrt(eigenvalues[::-1, None])  # the axis of most variance first
    if whitening is Whitening.PCA:
        return on_axes
    turned_back: Floats = vectors[:, ::-1] @ on_axes
    return turned_back


# --- the loss and gradient descent on it ------------------------------------------------------------------------------


def learning_rates(config: LinearUnitConfig, eigenvalues: Floats) -> Floats:
    """What the rule makes of each treatment's eigenvalues. [t, 2] descending, to [t]"""
    highest, lowest = eigenvalues.T
    match config.rate_rule:
        case RateRule.SHARED:
            return np.full(len(eigenvalues), config.learning_rate)
        case RateRule.MULTIPLE:
            rates: Floats = config.rate_multiple * 2 / highest
        case RateRule.BEST:
            rates = 2 / (highest + lowest)
    return rates


def gradient_descent(eigenvalues: Floats, vectors: Floats, rate: float, start: Floats, steps: int) -> Floats:
    """Displacements from the minimum, exact: along each eigenvector (1 − η λ)^step of the start's. [s + 1, 2]

    NaN where they overflow.
    """
    factors = (1 - rate * eigenvalues) ** np.arange(steps + 1)[:, None]  # [s + 1, 2]
    path: Floats = (factors * (vectors.T @ start)) @ vectors.T
    return np.where(np.isfinite(path), path, np.nan)


def relative_losses(hessian: Floats, path: Floats) -> Floats:
    """L(w) / L(w at the start) along a path; inf where that overflows. hessian: [..., 2, 2], path: [..., s, 2]"""
    loss = np.einsum("...si,...ij,...sj->...s", path, hessian, path)
    ratio = loss / loss[..., :1]
    return np.where(np.isfinite(ratio), ratio, np.inf)


def steps_to_target(eigenvalues: Floats, along: Floats, rate: float, target: float) -> float:
    """Fewest steps of gradient descent after which the loss is at most `target` of the start's, without taking them.

        L(step) / L(0) = Σ_j c_j (1 − η λ_j)^(2 step),   c_j = λ_j along_j² / Σ_j λ_j along_j²

    is convex in the step, so that it is below the target in one interval at most, which begins before its lowest point.

    Args:
        eigenvalues: [2]
        along: [2] the start's displacement along each eigenvector.
        rate: η
        target: in (0, 1).

    Returns:
        A whole number; inf if the target is never reached.
    """
    shares = eigenvalues * along**2 / (eigenvalues * along**2).sum()
    logs = _log_factors(rate * eigenvalues)

    def ratio(step: float) -> float:
        powers = np.array([2 * step * log if step else 0.0 for log in logs])
        return float((shares * np.exp(np.minimum(powers, 700))).sum())

    low, high = 0, _lowest_step(shares, logs)
    if not ratio(high) <= target:
        return np.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ratio(middle) <= target else (middle, high)
    return float(high)


def _log_factors(scaled: Floats) -> Floats:
    """log |1 − η λ|, exact where η λ is tiny; 0 at the limit, -inf where one step is all it takes. [2]"""
    with np.errstate(divide="ignore"):
        factors = np.where(scaled < 1, np.log1p(-np.minimum(scaled, 1)), np.log(np.maximum(scaled - 1, 0)))
    return np.where(np.abs(scaled - 2) < _ON_THE_LIMIT, 0.0, factors)


def _lowest_step(shares: Floats, logs: Floats) -> int:
    """The whole step, up to `MOST_STEPS`, at which Σ_j c_j exp(2 step log_j) is lowest. [2], [2]"""
    falling, rising = logs.min(), logs.max()
    if rising <= 0:
        return int(MOST_STEPS)
    if falling >= 0:
        return 1
    fall, rise = shares[logs.argmin()], shares[logs.argmax()]
    if falling == -np.inf or not fall > 0:
        return 1
    if not rise > 0:
        return int(MOST_STEPS)
    # Where the slopes cancel: fall |falling| e^(2 step falling) = rise rising e^(2 step rising).
    step = np.log(fall * -falling / (rise * rising)) / (2 * (rising - falling))
    near = [max(int(step), 1), max(int(step) + 1, 1)]
    return min(near, key=lambda one: fall * np.exp(2 * one * falling) + rise * np.exp(min(2 * one * rising, 700)))


# --- SGD --------------------------------------------------------------------------------------------------------------


class _Descent:
    """SGD on mini-batches under every treatment at once: all of them see the same samples in the same order.

    Each epoch is a fresh permutation; what is left of it when it is smaller than a batch is dropped.
    """

    def __init__(self, config: LinearUnitConfig, inputs: Floats, rate: Floats) -> None:
        self._inputs, self._rate, self._batch = inputs, rate, config.batch_size
        self._random = np.random.default_rng((config.seed, 1))
        self._matrices: Floats = np.empty((0, len(TREATMENTS), 2, 2))  # I − η H of the mini-batches to come
        self._now = np.tile(np.array(config.start), (len(TREATMENTS), 1))[..., None]  # [t, 2, 1]

    def take(self, steps: int) -> Floats:
        """Where so many more steps lead. [t, steps, 2]"""
        while len(self._matrices) < steps:
            self._matrices = np.concatenate([self._matrices, self._epoch()])
        places = np.empty((steps, *self._now.shape))
        for step in range(steps):
            self._now = places[step] = self._matrices[step] @ self._now
        self._matrices = self._matrices[steps:]
        return places[..., 0].swapaxes(0, 1)

    def _epoch(self) -> Floats:
        """I − η H of every mini-batch of one epoch. [e, t, 2, 2]"""
        count = self._inputs.shape[1] // self._batch
        order = self._random.permutation(self._inputs.shape[1])[: count * self._batch]
        batches = self._inputs[:, order].reshape(len(TREATMENTS), count, self._batch, 2)
        hessians = batches.swapaxes(2, 3) @ batches / self._batch  # [t, e, 2, 2]
        matrices: Floats = np.eye(2) - self._rate[:, None, None, None] * hessians
        return matrices.swapaxes(0, 1)


# --- all together -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Loss:
    """The treated inputs and the quadratic that they make."""

    inputs: Floats
    hessian: Floats
    eigenvalues: Floats
    eigenvectors: Floats


def _losses(config: LinearUnitConfig) -> _Loss:
    inputs = treated_inputs(drawn_inputs(config), config.whitening)
    hessian = inputs.swapaxes(1, 2) @ inputs / config.samples
    eigenvalues, vectors = np.linalg.eigh(hessian)
    return _Loss(inputs, hessian, eigenvalues[:, ::-1], vectors[:, :, ::-1])


class _Unit:
    """The unit and what is known of it so far: gradient descent at once, SGD in pieces."""

    def __init__(self, config: LinearUnitConfig) -> None:
        self._config = config
        self._loss = _losses(config)
        self._rate = learning_rates(config, self._loss.eigenvalues)
        self._descent = _Descent(config, self._loss.inputs, self._rate)
        self._gd_path, self._gd_steps = self._gradient_descents()
        start = np.tile(np.array(config.start), (len(TREATMENTS), 1, 1))
        self._drawn: Floats = start  # of SGD, up to the steps that are drawn [t, .., 2]
        self._sgd_steps = np.full(len(TREATMENTS), np.nan)
        self._start_loss = np.einsum("i,tij,j->t", start[0, 0], self._loss.hessian, start[0, 0])
        self._last_ratio = np.ones(len(TREATMENTS))
        self.step = 0  # of SGD

    @property
    def is_done(self) -> bool:
        """Whether SGD has gone as far as it will."""
        is_settled = ~np.isnan(self._sgd_steps) | np.isinf(self._last_ratio)
        is_drawn = self.step >= self._config.steps
        return self.step >= MOST_SGD_STEPS or (is_drawn and bool(is_settled.all()))

    def advance(self) -> None:
        """A piece of SGD, of which the first holds all that is drawn."""
        with np.errstate(over="ignore", invalid="ignore"):
            places = self._descent.take(min(PIECE_STEPS, MOST_SGD_STEPS - self.step))
            loss = np.einsum("tsi,tij,tsj->ts", places, self._loss.hessian, places)
            ratios = loss / self._start_loss[:, None]
        ratios = np.where(np.isfinite(ratios), ratios, np.inf)
        has_reached = ratios <= self._config.target
        first = self.step + 1 + has_reached.argmax(axis=1)
        self._sgd_steps = np.where(np.isnan(self._sgd_steps) & has_reached.any(axis=1), first, self._sgd_steps)
        missing = self._config.steps + 1 - self._drawn.shape[1]
        if missing > 0:
            self._drawn = np.concatenate([self._drawn, places[:, :missing]], axis=1)
        self.step += places.shape[1]
        self._last_ratio = ratios[:, -1]

    def _gradient_descents(self) -> tuple[Floats, Floats]:
        """Paths [t, s + 1, 2] and steps to the target [t]."""
        start, paths, steps = np.array(self._config.start), [], []
        for eigenvalues, vectors, rate in zip(self._loss.eigenvalues, self._loss.eigenvectors, self._rate, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                paths.append(gradient_descent(eigenvalues, vectors, rate, start, self._config.steps))
                steps.append(steps_to_target(eigenvalues, vectors.T @ start, rate, self._config.target))
        return np.stack(paths), np.array(steps)

    def record(self, spectrum: Spectrum, done: float) -> LinearUnit:
        """All there is so far; later work changes nothing in it."""
        loss, rate, path = self._loss, self._rate, self._drawn
        with np.errstate(over="ignore", invalid="ignore"):
            gd_loss, sgd_loss = relative_losses(loss.hessian, self._gd_path), relative_losses(loss.hessian, path)
            updates = np.diff(path, axis=1)
        # Judged by what is drawn, and only where the target was not reached: a random descent comes and goes.
        is_sgd_diverging = np.isnan(self._sgd_steps) & (
            (self._last_ratio > DIVERGED_RATIO) | (sgd_loss[:, -1] > DIVERGED_RATIO)
        )
        return LinearUnit(
            config=self._config,
            done=done,
            inputs=loss.inputs,
            hessian=loss.hessian,
            eigenvalues=loss.eigenvalues,
            eigenvectors=loss.eigenvectors,
            condition_number=loss.eigenvalues[:, 0] / loss.eigenvalues[:, 1],
            largest_rate=2 / loss.eigenvalues[:, 0],
            rate=rate,
            gd_path=self._gd_path,
            sgd_path=np.where(np.isfinite(path), path, np.nan),
            gd_loss=gd_loss,
            sgd_loss=sgd_loss,
            gd_steps=self._gd_steps,
            sgd_steps=np.where(np.isnan(self._sgd_steps) & is_sgd_diverging, np.inf, self._sgd_steps),
            same_sign_samples=same_sign_share(loss.inputs),
            same_sign_updates=same_sign_share(updates),
            is_diverging=rate * loss.eigenvalues[:, 0] > 2 + _ON_THE_LIMIT,
            is_sgd_diverging=is_sgd_diverging,
            spectrum=spectrum,
        )


def same_sign_share(vectors: Floats) -> Floats:
    """Share of those that are finite and not 0 whose two components have the same sign. [t, m, 2] to [t]"""
    known = np.isfinite(vectors).all(axis=2) & (vectors != 0).any(axis=2)
    is_same = known & (np.sign(vectors[..., 0]) == np.sign(vectors[..., 1]))
    counts = known.sum(axis=1)
    return np.where(counts > 0, is_same.sum(axis=1) / np.maximum(counts, 1), np.nan)
