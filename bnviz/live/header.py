"""The header of a frame: what a run is doing, in the words and numbers that the page shows around its charts."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

from bnviz.config import (
    BY_NAME,
    FIGURE_ONE_STEPS,
    TRAIN_IMAGES,
    BnPlacement,
    Competitor,
    CostConfig,
    CousinsConfig,
    DepthConfig,
    Experiment,
    Initialization,
    LinearUnitConfig,
    ModelConfig,
    Nonlinearity,
    Normalization,
    Sampling,
    Settings,
    SweepConfig,
    TrialsConfig,
    UntrainedConfig,
    View,
    lineup,
    normalizations_of,
    to_query,
)
from bnviz.records import Badge, Intervention, Phase, Run, Sweep, SweepPhase

_SAMPLINGS: Final = {
    Sampling.TWO_CLASSES: "two classes in each mini-batch",
    Sampling.SORTED: "images sorted by class",
}
Sentence = Callable[[Run, View], str]


def header_of(run: Run, version: int, view: View, sentence: Sentence) -> dict[str, Any]:
    """Everything of a frame but its charts, as JSON values."""
    status = run.status
    return {
        "run_id": run.run_id,
        "generation": status.generation,
        "version": version,
        "step": status.step,
        "drawn_step": drawn_step(run),
        "phase": str(status.phase),
        "settings": settings_text(run.settings),
        "steps_per_second": float(status.steps_per_second),
        "device": status.device,
        "notice": status.notice,
        "place_in_queue": status.place_in_queue,
        "measuring": float(status.measuring),
        "landscape": run.landscape.done if run.landscape is not None and run.badge is Badge.MEASURED else None,
        "subject": _subject(run),
        "study": run.study.done if run.is_study and run.study else None,
        "progress": _progress(run),
        "health": [
            {
                "name": competitor.name,
                "label": competitor.label,
                "condition": str(health.condition),
                "since_step": health.since_step,
                "layer": health.layer,
                "what": health.what,
            }
            for competitor, health in zip(run.competitors, status.health, strict=False)
        ],
        "sentence": sentence(run, view),
        "summary": _summary(run),
        "can_change": not run.is_study and not run.figure_one,  # a live setting, by its owner
        "interventions": [_in_words(one) for one in run.interventions],
        "badge": str(run.badge),
        "origin": run.origin,
        "has_ghost": run.ghost is not None,
    }


def _progress(run: Run) -> str:
    """How far a sweep is, or how long a run takes that ends by itself; empty for any other."""
    if run.sweep:
        return progress_of_sweep(run.sweep)
    left, speed = FIGURE_ONE_STEPS - run.status.step, run.status.steps_per_second
    if run.figure_one and run.status.phase is Phase.PLAYING and left > 0 and speed > 0:
        return f"{clock_text(left / speed)} left"
    return ""


def clock_text(seconds: float) -> str:
    """Such as "1:20"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _subject(run: Run) -> str:
    """What the summary is about."""
    if not run.is_study:
        return "This run"
    if run.trials or run.cousins:
        return "This experiment"
    if run.cost:
        return "This timing"
    if run.sweep:
        return "This sweep"
    return "This unit" if run.linear_unit else "These networks"


def _summary(run: Run) -> str:
    if run.is_study and run.untrained:
        return summary_of_untrained(run.untrained.config)
    if run.is_study and run.trials:
        return summary_of_trials(run.trials.config)
    if run.is_study and run.cousins:
        return summary_of_cousins(run.cousins.config)
    if run.is_study and run.cost:
        return summary_of_cost(run.cost.config)
    if run.is_study and run.sweep:
        return summary_of_sweep(run.sweep.config)
    if run.is_study and run.depth:
        return summary_of_depth(run.depth.config)
    if run.is_study and run.linear_unit:
        return summary_of_linear_unit(run.linear_unit.config)
    return summary(run.settings)


@lru_cache(maxsize=256)  # every frame of a run says the same again
def settings_text(settings: Settings) -> str:
    """All settings in one line: what a page compares to see that somebody else has changed one."""
    return urlencode(to_query(settings))


def drawn_step(run: Run) -> int:
    """The newest step that has been measured, and so the newest that a chart can show."""
    return int(run.history.step[-1]) if len(run.history) else 0


def _in_words(intervention: Intervention) -> dict[str, Any]:
    return {
        "step": intervention.step,
        "setting": BY_NAME[intervention.name].label.lower(),
        "old": f"{intervention.old:g}",
        "new": f"{intervention.new:g}",
    }


@lru_cache(maxsize=256)
def summary_of_untrained(config: UntrainedConfig) -> str:
    """What two untrained networks are, and how they differ."""
    return (
        f"{_untrained(config, f', {config.connections}')}. Both networks have the same weights; one has BN before each "
        "nonlinearity, with gamma 1 and beta 0. 128 training images, nothing trained."
    )


def _untrained(config: UntrainedConfig | DepthConfig, joined_how: str = "") -> str:
    """Sizes and weights of networks that are not trained."""
    parts = [
        f"{config.depth} {'layer' if config.depth == 1 else 'layers'} of {config.width}{joined_how}",
        _nonlinearity(config.nonlinearity),
        _initial_weights(config.initialization, config.init_scale),
        "binary input",
        f"seed {config.seed}",
    ]
    return ", ".join(parts)


@lru_cache(maxsize=256)
def summary_of_trials(config: TrialsConfig) -> str:
    """What every run of an experiment has in common."""
    settings = config.conditions[-1].settings
    model = settings.model
    length = f"{config.images:,} images" if config.counts_images else f"{config.steps:,} steps"
    parts = [
        _layers(model),
        _nonlinearity(model.nonlinearity),
        *_trials_weights(config),
        f"SGD, {_trials_rates(config)}",
        *_trials_dropout(config),
        f"{length} each",
        f"{config.seeds} {'seed' if config.seeds == 1 else 'seeds'}",
        f"{model.input_form} input",
    ]
    names = "; ".join(one.label for one in config.competitors)
    return f"{', '.join(parts)}. The networks {names} see the same mini-batches in every run."


def _trials_weights(config: TrialsConfig) -> list[str]:
    """Where all networks that have no initial weights of their own start from."""
    model = config.conditions[0].settings.model
    text = _initial_weights(model.initialization, model.init_scale)
    return [f"with BN from {text}"] if any(one.has_own_start for one in config.competitors) else [text]


def _trials_rates(config: TrialsConfig) -> str:
    if config.experiment is Experiment.INITIALIZATION:
        return f"learning rates {_ends(config)}"
    return f"learning rate {config.learning_rate:g}"


def _trials_dropout(config: TrialsConfig) -> list[str]:
    """How many images are trained on, and how much is dropped, where the experiment is about that."""
    if config.experiment is not Experiment.DROPOUT:
        return []
    return [f"{_ends(config)} training images", f"dropout p = {config.conditions[0].settings.hyper.dropout:g}"]


def _ends(config: TrialsConfig) -> str:
    """The first and the last of its conditions."""
    return f"{config.conditions[0].label} to {config.conditions[-1].label}"


@lru_cache(maxsize=256)
def summary_of_cousins(config: CousinsConfig) -> str:
    """What every run has in common, and what the variants differ in."""
    settings = config.conditions[0].settings
    model, hyper = settings.model, settings.hyper
    parts = [
        _layers(model),
        _initial_weights(model.initialization, model.init_scale),
        f"SGD with momentum {hyper.momentum:g}, batch {hyper.batch_size}",
        f"base learning rate {config.learning_rate:g}, constant",
        f"{config.steps:,} steps each",
        f"{config.seeds} {'seed' if config.seeds == 1 else 'seeds'}",
        f"{model.input_form} input",
    ]
    return (
        f"{', '.join(parts)}. Without BN and with it, from the same weights, on the same mini-batches; ReLU, in the "
        "sigmoid variants sigmoids. No dropout, no weight decay, no distortions in any of them."
    )


@lru_cache(maxsize=256)
def summary_of_cost(config: CostConfig) -> str:
    """What is timed."""
    layers = "layer" if config.hidden_layers == 1 else "layers"
    return (
        f"Fully connected: {config.hidden_layers} hidden {layers}; convolutional: two 5×5 convolutions of stride 2; "
        f"{_nonlinearity(config.nonlinearity)}, plain SGD on MNIST. Each network trains alone, with BN and without in "
        "turns, in this app’s own loop and in a bare PyTorch one with torch.nn.BatchNorm1d or BatchNorm2d."
    )


@lru_cache(maxsize=256)
def summary_of_sweep(config: SweepConfig) -> str:
    """What all its runs have in common."""
    sides = " and ".join(axis.label.lower() for axis in (config.x, config.y))
    length = f"{config.steps:,} steps each, {config.seeds} {'seed' if config.seeds == 1 else 'seeds'}"
    return f"{length}; {sides} are those of each cell, all else is as here: {summary(config.base)}"


def progress_of_sweep(sweep: Sweep) -> str:
    """Such as "36 of 64 cells · 12,300 steps/s · 1:20 left"."""
    status = sweep.status
    parts = [f"{status.cells_done} of {status.cells_all} cells"]
    if status.phase is SweepPhase.RUNNING:
        if status.steps_per_second > 0:
            parts.append(f"{status.steps_per_second:,.0f} steps/s")
        if math.isfinite(status.seconds_left):
            parts.append(f"{clock_text(status.seconds_left)} left")
    elif status.phase is not SweepPhase.CANCELLED or status.cells_done:
        parts.append(str(status.phase))
    if status.cells_failed:
        parts.append(f"{status.cells_failed} failed")
    return " · ".join(parts)


@lru_cache(maxsize=256)
def summary_of_depth(config: DepthConfig) -> str:
    """What four untrained networks are, and how they differ."""
    return (
        f"{_untrained(config)}. All four have the same weights: two have residual connections, two have BN before each "
        "nonlinearity, with gamma 1 and beta 0. 256 training images, nothing trained."
    )


@lru_cache(maxsize=256)
def summary_of_linear_unit(config: LinearUnitConfig) -> str:
    """What inputs the unit has, and what it learns."""
    inputs = (
        f"means {config.mean_1:g} and {config.mean_2:g}, standard deviations {config.std_1:g} and {config.std_2:g}, "
        f"correlation {config.correlation:g}, {config.samples:,} samples, seed {config.seed}"
    )
    return (
        f"A linear unit y = w·x with two inputs: {inputs}. Under every treatment it learns w*·x of its own inputs, "
        f"from the same displacement ({config.start_1:g}, {config.start_2:g}); SGD takes {config.batch_size} at a time."
    )


@lru_cache(maxsize=256)
def summary(settings: Settings) -> str:
    """What this run compares and how its networks differ, in two or three short sentences."""
    return f"{settings_in_words(settings)}. {_shared(lineup(settings.model))} {_difference(settings)}"


@lru_cache(maxsize=256)
def settings_in_words(settings: Settings) -> str:
    """What its networks are and how they are trained."""
    model, hyper = settings.model, settings.hyper
    parts = [
        _layers(model),
        _nonlinearity(model.nonlinearity),
        _initial_weights(model.initialization, model.init_scale),
        *_placement(model),
        model.optimizer.upper() if model.optimizer == "sgd" else model.optimizer.capitalize(),
        f"learning rate {hyper.learning_rate:g}",
        f"batch {hyper.batch_size}",
        f"{model.input_form} input",
        *([_SAMPLINGS[model.sampling]] if model.sampling in _SAMPLINGS else []),
        *([f"{model.training_images:,} training images"] if model.training_images < TRAIN_IMAGES else []),
        f"seed {model.seed}",
    ]
    return ", ".join(parts)


def _layers(model: ModelConfig) -> str:
    """Such as "784-100-100-100-10", or the side of the maps and how many there are."""
    first, *_ = model.layers
    if model.is_convolutional:
        maps = ", ".join(f"{one.side}×{one.side}×{one.n_out}" for one in model.layers[:-1])
        return f"two 5×5 convolutions of stride 2 to {maps}, then 10"
    return "-".join(str(size) for size in (first.n_in, *(one.n_out for one in model.layers)))


def _nonlinearity(one: Nonlinearity) -> str:
    return {"relu": "ReLU", "leaky_relu": "leaky ReLU", "gelu": "GELU"}.get(one, str(one))


def _initial_weights(initialization: Initialization, scale: float) -> str:
    if initialization is Initialization.GAUSSIAN:
        return f"weights N(0, {scale:g}²)"
    name = {"glorot": "Glorot", "he": "He", "orthogonal": "orthogonal", "lsuv": "LSUV"}[initialization]
    return f"{name} weights" if scale == 1 else f"{name} weights × {scale:g}"


def _placement(model: ModelConfig) -> list[str]:
    """Where stands what has a place before or after the nonlinearity: "BN before the nonlinearity"; of none nothing."""
    placed = set(normalizations_of(model)) - {Normalization.NONE, Normalization.WEIGHT}
    if not placed:
        return []
    is_bn, is_noise = placed <= {*_OVER_IMAGES["BN"], Normalization.NOISE}, placed == {Normalization.NOISE}
    return [f"{'noise' if is_noise else 'BN' if is_bn else 'normalization'} {model.bn_placement} the nonlinearity"]


def _shared(competitors: Sequence[Competitor]) -> str:
    """What the networks have in common."""
    who = "Both networks" if len(competitors) == 2 else "All networks"
    own = [one.label for one in competitors if one.has_own_start]
    if not own:
        return f"{who} start from the same weights and see the same mini-batches."
    if len(own) == len(competitors):
        return f"{who} see the same mini-batches, from initial weights that their names say, each scheme at scale 1."
    return (
        f"{who} see the same mini-batches and start from the same weights, but for {' and '.join(own)}: their names "
        "say the scheme, at scale 1."
    )


def _difference(settings: Settings) -> str:
    """What the networks differ in besides the normalization itself (DESIGN.md, section 6)."""
    model, hyper = settings.model, settings.hyper
    units = model.width * model.hidden_layers
    added = f"{2 * units:,} numbers γ, β"
    present = set(normalizations_of(model))
    sentences = []
    if over_images := _present(present, _OVER_IMAGES):
        if model.bn_placement is BnPlacement.BEFORE:
            redundant = "BN makes" if over_images == "BN" else "they make"
            sentences.append(
                f"With {over_images}, {units:,} biases are dropped, which {redundant} redundant, and {added} added."
            )
        else:
            sentences.append(f"With {over_images}, {added} are added.")
    if over_units := _present(present, _OVER_UNITS):
        sentences.append(f"With {over_units}, {added} are added.")
    if Normalization.WEIGHT in present:
        sentences.append(f"WeightNorm gives each unit's weights a length g of its own: {units:,} numbers more.")
    if present & {Normalization.NOISY_BATCH, Normalization.NOISE}:
        sentences.append(
            f"Noise: n_μ {hyper.noise_mean:g}, n_σ {hyper.noise_scale:g}, r_μ {hyper.noise_mean_spread:g}, "
            f"r_σ {hyper.noise_scale_spread:g}, fresh at every step, none at inference."
        )
    if any(one.has_dropout for one in lineup(model)):
        sentences.append(
            f"Dropout: p {hyper.dropout:g} in every hidden layer, fresh masks at every step, none at inference."
        )
    return " ".join(sentences)


_OVER_IMAGES: Final = {
    "BN": {Normalization.BATCH, Normalization.NOISY_BATCH},
    "Batch Renorm": {Normalization.RENORMALIZATION},
    "decorrelated BN": {Normalization.DECORRELATED},
}
_OVER_UNITS: Final = {"LayerNorm": {Normalization.LAYER}, "GroupNorm": {Normalization.GROUP}}


def _present(present: set[Normalization], kinds: Mapping[str, set[Normalization]]) -> str:
    """Which of these are there: "BN and Batch Renorm"."""
    *others, last = [name for name, normalizations in kinds.items() if normalizations & present] or [""]
    return f"{', '.join(others)} and {last}" if others else last
