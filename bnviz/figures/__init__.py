"""Figures: theme and one pure function a chart, records to plain Plotly specs."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from bnviz.config import View
from bnviz.figures import bands, curves, density, drift, gradients, health, landscape
from bnviz.figures.theme import Spec, for_export, resolve, to_html, tokens
from bnviz.figures.words import sentence
from bnviz.records import Run

FIGURES: Final[Mapping[str, Callable[[Run, View], Spec]]] = MappingProxyType(
    {
        "accuracy": curves.accuracy,
        "drift-bands": bands.drift_bands,
        "loss": curves.loss,
        "density": density.density,
        "gradient-histogram": gradients.gradient_histogram,
        "drift-distance": drift.drift_distance,
        "loss-contour": landscape.loss_contour,
        "health": health.health,
    }
)
"""Every chart by its name, in their order on the page."""

__all__ = ["FIGURES", "Spec", "for_export", "resolve", "sentence", "to_html", "tokens"]
