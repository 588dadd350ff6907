"""The sentence above the charts of untrained networks."""

import numpy as np

from bnviz.config import TWINS, View
from bnviz.figures.numbers import number, percent
from bnviz.figures.untrained_depth import growth_factors
from bnviz.figures.words import compare, enumerate_texts, names_in_turn
from bnviz.records import Run, Untrained


def untrained_sentence(run: Run, view: View) -> str:
    """What these two networks are like before any training, in numbers computed from them; marks as in `words`."""
    untrained = run.untrained
    if untrained is None:
        return "Measuring two networks before any training."
    parts = [_growth(untrained), _overflow(untrained), _tails(untrained, view), _concentration(untrained)]
    return " ".join(part for part in parts if part)


def _growth(untrained: Untrained) -> str:
    """How the gradient changes from layer to layer, BN first."""
    factors = growth_factors(untrained.gradient_norm)
    known = [k for k in (1, 0) if np.isfinite(factors[k])]
    if not known:
        return "Before any training."
    names = names_in_turn([TWINS[k] for k in known])
    told = ", ".join(
        f"{{{TWINS[k].name}}} **× {number(factors[k], 3)}**{'' if turn else ' a layer'} {name}"
        for turn, (k, name) in enumerate(zip(known, names, strict=True))
    )
    return f"Before any training, toward the input the gradient goes {told}."


def _overflow(untrained: Untrained) -> str:
    texts = [
        f"{TWINS[k].label[0].upper()}{TWINS[k].label[1:]} the outputs overflow from layer {layer} on."
        for k, layer in enumerate(untrained.overflow_layer)
        if layer
    ]
    return " ".join(texts)


def _tails(untrained: Untrained, view: View) -> str:
    if untrained.gradients is None:
        return ""
    layer = min(view.untrained_layer, untrained.config.depth + 1)
    told = compare(TWINS, untrained.gradients.excess_kurtosis[:, layer - 1])
    return f"Layer {layer}’s gradient has excess kurtosis {told}." if told else ""


def _concentration(untrained: Untrained) -> str:
    """How far the answers of the whole networks are one and the same."""
    shares = untrained.top_class_share[:, -1]
    texts = [percent(float(share), 0) if np.isfinite(share) else None for share in shares]
    told = enumerate_texts(TWINS, texts)
    return f"The most frequent answer takes {told}." if told else ""
