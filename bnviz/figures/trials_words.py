"""The sentence above the charts of an experiment of several runs, and of deep networks before training."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from bnviz.config import BATCH_SIZES, Experiment, Normalization, View
from bnviz.figures.depth_growth import growth_factors
from bnviz.figures.trials_parts import at_inference, failures, median, rough
from bnviz.figures.untrained_parts import ratio_texts
from bnviz.figures.words import NO_BN, joined, spoken
from bnviz.records import AMOUNTS, CHANGES, Floats, Run, Trials

_WITH_DROPOUT: Final = {"plain": "without BN", "bn": "with it", "dropout": "dropout", "bndropout": "both"}
_BEFORE: Final = "Each chart fills in as the networks of this experiment finish."


def trials_sentence(run: Run, view: View) -> str:
    """What comes out, in numbers computed from these runs; marks as in `words`."""
    trials = run.trials
    if trials is None:
        return _BEFORE
    told = _SENTENCES[trials.config.experiment](trials)
    return told or _BEFORE


def depth_sentence(run: Run, view: View) -> str:
    """How gradients change from layer to layer; marks as in `words`."""
    if run.depth is None:
        return "Measuring four untrained networks."
    factors = growth_factors(run.depth)
    if not np.isfinite(factors).all():
        return "Before any training."
    plain, residual = (ratio_texts(row) for row in factors)
    return (
        f"Before any training, a layer further down ‖∂L/∂h‖² goes {{bn}} **{plain[1]}** with BN, {{plain}} "
        f"**{plain[0]}** without; in residual networks {{bn}} **{residual[1]}**, {{plain}} **{residual[0]}**."
    )


def _place(trials: Trials, normalization: Normalization) -> int | None:
    """Of the first network with this normalization, if there is one."""
    found = (k for k, one in enumerate(trials.config.competitors) if one.normalization is normalization)
    return next(found, None)


def _one(trials: Trials, k: int, share: float) -> str:
    one = trials.config.competitors[k]
    return f"{{{one.name}}} **{rough(share)}** {spoken(one)}"


def _enumerated(trials: Trials, shares: Floats, places: list[int]) -> str:
    return ", ".join(_one(trials, k, float(shares[k])) for k in places if np.isfinite(shares[k]))


def _batch_size(trials: Trials) -> str:
    """At two images a batch and at the largest: BN, and the best of the others."""
    middle = median(at_inference(trials), axis=2)
    parts = []
    for size in (1, 2, BATCH_SIZES[-1]):
        x = BATCH_SIZES.index(size)
        others = [k for k in range(len(middle)) if k != 1 and np.isfinite(middle[k, x])]
        if np.isfinite(middle[1, x]) and others:
            best = max(others, key=lambda k: middle[k, x])
            what = "one image" if size == 1 else f"{size} images"
            parts.append(f"With {what} a batch {_enumerated(trials, middle[:, x], [1, best])}.")
    return " ".join(parts)


def _mini_batches(trials: Trials) -> str:
    running, own = median(at_inference(trials), axis=2), median(trials.batch_accuracy, axis=2)
    if not np.isfinite(running[:2, 1]).all():
        return ""
    told = _enumerated(trials, running[:, 1], list(range(len(running))))
    gap = 100 * (own[1, 1] - running[1, 1])
    return f"Trained on two classes a batch: {told}. Statistics of its own give BN {gap:+.1f} points.".replace("-", "−")


def _test_time(trials: Trials) -> str:
    middle, k = median(trials.changed_accuracy, axis=1), _place(trials, Normalization.BATCH)
    if k is None or not np.isfinite(middle[k]).all():
        return ""
    a = AMOUNTS.shape[1] // 4
    texts = [f"{change} {rough(middle[k, c, a, 0])} → {rough(middle[k, c, a, 1])}" for c, change in enumerate(CHANGES)]
    told = ", ".join(texts)
    return f"{{bn}} With BN, at a quarter of each axis, running statistics → own: {told}."


def _initialization(trials: Trials) -> str:
    """Each network at the learning rate that suits it best, and who diverged."""
    middle, told = median(at_inference(trials), axis=2), []
    for one, row in zip(trials.config.competitors, middle, strict=True):
        if np.isfinite(row).any():
            best = int(np.nanargmax(row))
            name = one.label.removesuffix(NO_BN)
            told.append(f"{{{one.name}}} **{rough(row[best])}** {name} ({trials.config.conditions[best].label})")
    if not told:
        return ""
    is_whole = np.isfinite(trials.diverged_step).any(axis=2).all()
    rates = "its best rate" if is_whole else "the best rate so far"
    return joined(f"Accuracy, each at {rates}: {', '.join(told)}.", failures(trials))


def _dropout(trials: Trials) -> str:
    """With the fewest and with the most training images measured so far."""
    middle = median(at_inference(trials), axis=2)
    known = np.flatnonzero(np.isfinite(middle).any(axis=0))
    if not known.size:
        return ""
    parts: list[str] = []
    for x in sorted({int(known[0]), int(known[-1])}):
        names = _WITH_DROPOUT if not parts else {}
        shares = [
            f"{{{one.name}}} **{rough(share)}** {names.get(one.name, '')}".rstrip()
            for one, share in zip(trials.config.competitors, middle[:, x], strict=True)
            if np.isfinite(share)
        ]
        images = "" if parts else " images"
        parts.append(f"{trials.config.conditions[x].label}{images}: {', '.join(shares)}.")
    return joined(*parts, failures(trials))


_SENTENCES: Final[Mapping[Experiment, Callable[[Trials], str]]] = {
    Experiment.BATCH_SIZE: _batch_size,
    Experiment.MINI_BATCHES: _mini_batches,
    Experiment.TEST_TIME: _test_time,
    Experiment.INITIALIZATION: _initialization,
    Experiment.DROPOUT: _dropout,
}
