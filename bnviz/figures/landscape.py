"""Landscape: the loss on a plane through the current weights, with the path walked so far."""

from typing import Any, Final

import numpy as np

from bnviz.config import Directions, View
from bnviz.figures.chart import MARGIN, Words, chart, domains, heading, note, number_of
from bnviz.figures.labels import stop_label
from bnviz.figures.numbers import NO_BREAK, number, percent, whole
from bnviz.figures.planes import (
    colour_axis,
    log_ends,
    overflow_finding,
    overflow_key,
    path_labels,
    path_traces,
    plane_axis,
    plane_traces,
)
from bnviz.figures.theme import Spec
from bnviz.figures.words import compare, enumerate_texts, has_data, is_diverged
from bnviz.records import Contour, Floats, Run

GAP: Final = 0.09


def loss_contour(run: Run, view: View) -> Spec:
    """The loss around the weights of every competitor: same directions, same scale, and each one's path."""
    contour, count = run.contour, len(run.competitors)
    data: list[dict[str, Any]] = []
    annotations = [heading(run, k, k) for k in range(count)]
    scale: dict[str, Any] = {}
    if contour is None:
        annotations.append(note("Measured a moment after Play, and when the run pauses."))
    else:
        ends = log_ends(contour.loss)
        scale = {"coloraxis": colour_axis(*ends)}
        annotations += overflow_key(contour.loss)
        for k in range(count):
            axes = {"xaxis": f"x{number_of(k)}", "yaxis": f"y{number_of(k)}"}
            one = run.competitors[k]
            data += plane_traces(one.label, contour.alpha, contour.beta, contour.loss[k], ends, axes)
            data += path_traces(one, contour.path[k], contour.path_steps, run.interventions, axes)
            annotations += path_labels(contour.path[k], contour.alpha, contour.beta, k)
            if is_diverged(run, k) and not has_data(contour.loss[k]):
                annotations.append(stop_label(run, k))
    words = Words("Loss around the weights", _finding(run, contour), _alt(run, contour), _how(contour))
    return chart(
        run, "loss-contour", words, data, _axes(run, contour),
        annotations=annotations,
        margin=MARGIN | {"l": 34, "r": 56},
        hovermode="closest",
        x="filter norms",
        shows=str(contour.directions) if contour else "",
        **scale,
    )  # fmt: skip


def _axes(run: Run, contour: Contour | None) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for k, domain in enumerate(domains(len(run.competitors), GAP)):
        numbered = number_of(k)
        for letter, other in (("x", "y"), ("y", "x")):
            shared = {"matches": letter} if k else {}
            grid = None if contour is None else contour.alpha if letter == "x" else contour.beta
            axes[f"{letter}axis{numbered}"] = plane_axis(f"{other}{numbered}", grid) | shared
        axes[f"xaxis{numbered}"]["domain"] = domain
        axes[f"yaxis{numbered}"]["showticklabels"] = k == 0
    return axes


# --- what is said -----------------------------------------------------------------------------------------------------


def shares(run: Run, share: Floats) -> str:
    """How much of each path's squared length a plane holds: "90 % of the path without BN, 88 % with it". share: [k]"""
    texts = [_share(float(one)) if np.isfinite(one) else None for one in share]
    return enumerate_texts(run.competitors, texts, of=" of the path")


def _share(share: float) -> str:
    return percent(share, 0) if share >= 0.1 or share == 0 else f"{number(100 * share, 1)}{NO_BREAK}%"


def _finding(run: Run, contour: Contour | None) -> str:
    if contour is None:
        return ""
    held = shares(run, contour.share)
    parts = [f"at step {whole(contour.step)}, batch statistics", held and f"plane holds {held}"]
    return "; ".join(filter(None, [*parts, overflow_finding(run, contour.loss)]))


def _alt(run: Run, contour: Contour | None) -> str:
    if contour is None:
        return "Loss on a plane through the weights: not measured yet."
    if not has_data(contour.loss):
        return f"Loss on a plane through the weights at step {whole(contour.step)}: no finite value yet."
    lowest = [float(np.min(one, where=np.isfinite(one), initial=np.inf)) for one in contour.loss]
    highest = [float(np.max(one, where=np.isfinite(one), initial=-np.inf)) for one in contour.loss]
    return (
        f"Loss in nats on a plane through the weights at step {whole(contour.step)}: "
        f"lowest {compare(run.competitors, lowest)}; highest {compare(run.competitors, highest)}. "
        f"The plane holds {shares(run, contour.share)}."
    )


def _how(contour: Contour | None) -> str:
    images = "a fixed batch" if contour is None else f"one fixed batch of {whole(contour.images)} training images"
    is_random = contour is not None and contour.directions is Directions.RANDOM
    directions = (
        "random filter-normalised directions" if is_random else "the two leading directions of all paths together"
    )
    return f"Loss on {images}, with that batch's statistics, along {directions}; γ, β and biases stay as they are."
