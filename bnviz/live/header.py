"""The header of a frame: what a run is doing, in the words and numbers that the page shows around its charts."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from bnviz.config import BY_NAME, BnPlacement, Initialization, Settings, View, to_query
from bnviz.records import Intervention, Run

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
        "summary": summary(run.settings),
        "interventions": [_in_words(one) for one in run.interventions],
        "badge": str(run.badge),
        "origin": run.origin,
        "has_ghost": run.ghost is not None,
    }


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
def summary(settings: Settings) -> str:
    """What this run compares and how its networks differ, in two or three short sentences."""
    model, hyper = settings.model, settings.hyper
    layers = "-".join(str(size) for size in model.sizes)
    parts = [
        layers,
        model.nonlinearity.replace("_", " "),
        _initial_weights(settings),
        f"BN {model.bn_placement} the nonlinearity",
        model.optimizer.upper() if model.optimizer == "sgd" else model.optimizer.capitalize(),
        f"learning rate {hyper.learning_rate:g}",
        f"batch {hyper.batch_size}",
        f"{model.input_form} input",
        f"seed {model.seed}",
    ]
    return (
        f"{', '.join(parts)}. Both networks start from the same weights and see the same mini-batches. "
        f"{_difference(settings)}"
    )


def _initial_weights(settings: Settings) -> str:
    model = settings.model
    if model.initialization is Initialization.GAUSSIAN:
        return f"weights N(0, {model.init_scale:g}²)"
    name = {"glorot": "Glorot", "he": "He", "orthogonal": "orthogonal"}[model.initialization]
    return f"{name} weights" if model.init_scale == 1 else f"{name} weights × {model.init_scale:g}"


def _difference(settings: Settings) -> str:
    """What the networks differ in besides the normalization itself (DESIGN.md, section 6)."""
    model = settings.model
    units = model.width * model.hidden_layers
    added = f"{2 * units:,} numbers γ, β"
    if model.bn_placement is BnPlacement.BEFORE:
        return f"With BN, {units:,} biases are dropped, which BN makes redundant, and {added} added."
    return f"With BN, {added} are added."
