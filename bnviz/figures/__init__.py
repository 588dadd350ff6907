"""Figures: theme and one pure function a chart, records to plain Plotly specs."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from bnviz.config import View
from bnviz.figures import (
    accuracy_modes,
    anatomy_identity,
    anatomy_inference,
    anatomy_naive,
    anatomy_scale,
    anatomy_stream,
    anatomy_walk,
    bands,
    bn_cost,
    cousins_curves,
    cousins_reach,
    curves,
    density,
    depth_growth,
    drift,
    ensemble,
    figure_one_accuracy,
    figure_one_bands,
    figure_one_rates,
    figure_one_tuned,
    gradient_layers,
    gradient_steps,
    gradients,
    health,
    landscape,
    landscape_batches,
    landscape_cut,
    landscape_plane,
    layer_measures,
    sharpness,
    shift,
    smoothness,
    sweep_best,
    sweep_map,
    trials_change,
    trials_error,
    trials_fit,
    trials_gap,
    trials_spread,
    untrained,
    untrained_depth,
    untrained_jacobian,
    untrained_loss,
    whitening,
)
from bnviz.figures.cousins_words import cost_sentence, cousins_sentence
from bnviz.figures.figure_one_words import figure_one_sentence
from bnviz.figures.sweep_words import sweep_sentence
from bnviz.figures.theme import Spec, for_export, page_swatch_of, resolve, to_html, tokens
from bnviz.figures.trials_words import depth_sentence, trials_sentence
from bnviz.figures.untrained_words import untrained_sentence
from bnviz.figures.words import sentence as sentence_of_training
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
        "gradient-layers": gradient_layers.gradient_layers,
        "gradient-steps": gradient_steps.gradient_steps,
        "gradient-norm": layer_measures.gradient_norm,
        "update-ratio": layer_measures.update_ratio,
        "weight-norm": layer_measures.weight_norm,
        "scale-invariance": layer_measures.scale_invariance,
        "untrained-histogram": untrained.untrained_histogram,
        "untrained-gradients": untrained_depth.untrained_gradients,
        "untrained-activations": untrained_depth.untrained_activations,
        "untrained-predictions": untrained_depth.untrained_predictions,
        "untrained-jacobian": untrained_jacobian.untrained_jacobian,
        "untrained-loss": untrained_loss.untrained_loss,
        "covariate-shift": shift.covariate_shift,
        "smoothness": smoothness.smoothness,
        "sharpness": sharpness.sharpness,
        "accuracy-modes": accuracy_modes.accuracy_modes,
        "anatomy-walk": anatomy_walk.anatomy_walk,
        "anatomy-identity": anatomy_identity.anatomy_identity,
        "anatomy-scale": anatomy_scale.anatomy_scale,
        "anatomy-naive": anatomy_naive.anatomy_naive,
        "anatomy-stream": anatomy_stream.anatomy_stream,
        "anatomy-inference": anatomy_inference.anatomy_inference,
        "whitening-inputs": whitening.whitening_inputs,
        "whitening-descent": whitening.whitening_descent,
        "whitening-loss": whitening.whitening_loss,
        "whitening-spectrum": whitening.whitening_spectrum,
        "trials-summary": trials_error.trials_summary,
        "trials-curves": trials_error.trials_curves,
        "trials-gap": trials_gap.trials_gap,
        "trials-change": trials_change.trials_change,
        "trials-digits": trials_change.trials_digits,
        "trials-spread": trials_spread.trials_spread,
        "trials-fit": trials_fit.trials_fit,
        "depth-gradients": depth_growth.depth_gradients,
        "depth-outputs": depth_growth.depth_outputs,
        "cousins-curves": cousins_curves.cousins_curves,
        "cousins-reach": cousins_reach.cousins_reach,
        "cousins-rates": cousins_reach.cousins_rates,
        "cousins-time": cousins_curves.cousins_time,
        "ensemble": ensemble.ensemble,
        "bn-cost": bn_cost.bn_cost,
        "bn-cost-time": bn_cost.bn_cost_time,
        "sweep-map": sweep_map.sweep_map,
        "sweep-best": sweep_best.sweep_best,
        "sweep-ranges": sweep_best.sweep_ranges,
        "figure-one-accuracy": figure_one_accuracy.figure_one_accuracy,
        "figure-one-bands": figure_one_bands.figure_one_bands,
        "figure-one-rates": figure_one_rates.figure_one_rates,
        "figure-one-tuned": figure_one_tuned.figure_one_tuned,
        "figure-one-optimizers": figure_one_tuned.figure_one_optimizers,
        "landscape": landscape_plane.landscape,
        "landscape-cut": landscape_cut.landscape_cut,
        "landscape-batches": landscape_batches.landscape_batches,
    }
)
"""Every chart by its name; `bnviz.ui.charts` says which page shows which, and in what order."""


SOLID: Final = frozenset({"landscape"})
"""Charts with surfaces, for which a browser needs all of plotly.js: the others keep to its cartesian traces."""


def sentence(run: Run, view: View) -> str:
    """One sentence or a few on what is to be seen in this run, in numbers computed from it."""
    if run.figure_one:
        return figure_one_sentence(run, view)
    if run.is_study:
        return _sentence_of_study(run)(run, view)
    return sentence_of_training(run, view)


def _sentence_of_study(run: Run) -> Callable[[Run, View], str]:
    if run.trials:
        return trials_sentence
    if run.depth:
        return depth_sentence
    if run.cousins:
        return cousins_sentence
    if run.cost:
        return cost_sentence
    if run.sweep:
        return sweep_sentence
    return whitening.whitening_sentence if run.linear_unit else untrained_sentence


__all__ = ["FIGURES", "SOLID", "Spec", "for_export", "page_swatch_of", "resolve", "sentence", "to_html", "tokens"]
