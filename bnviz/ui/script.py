"""A run as one file in plain PyTorch: the same weights, mini-batches and interventions, without bnviz.

The file is put together from the parts in assets/script that the run needs, in an order to be read in.
"""

import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from pprint import pformat
from typing import Any, Final

import numpy as np

from bnviz.config import Competitor, HyperParams, ModelConfig, Nonlinearity, Normalization, Settings
from bnviz.errors import DataError
from bnviz.live.header import settings_in_words
from bnviz.records import Run

FOLDER: Final = Path(__file__).resolve().parents[2] / "assets" / "script"
MNIST_SUMS: Final = FOLDER.parent / "mnist" / "SHA256SUMS"
MOST_MEASURED: Final = 20  # points of the run that the script tells beside its own

_FILES: Final = ("train-images", "train-labels", "t10k-images", "t10k-labels")
_NONLINEARITIES: Final = {
    Nonlinearity.SIGMOID: "nn.Sigmoid",
    Nonlinearity.TANH: "nn.Tanh",
    Nonlinearity.RELU: "nn.ReLU",
    Nonlinearity.LEAKY_RELU: "nn.LeakyReLU",
    Nonlinearity.GELU: "nn.GELU",
    Nonlinearity.IDENTITY: "nn.Identity",
}
_OVER_ROWS: Final = {
    Normalization.RENORMALIZATION: "BatchRenorm(WIDTH)",
    Normalization.DECORRELATED: "DecorrelatedBatchNorm(WIDTH, GROUPS)",
}
_DROPOUT: Final = "        if dropout:\n            modules.append(of_layer(Dropout(), layer))"
_NOISY: Final = (Normalization.NOISY_BATCH, Normalization.NOISE)
_WITH_BN: Final = (Normalization.BATCH, Normalization.NOISY_BATCH)


def script(run: Run) -> str:
    """The whole file."""
    model, competitors = run.settings.model, run.competitors
    before = _at_start(run)
    drops = any(one.has_dropout for one in competitors)
    draws = drops or any(one.normalization in _NOISY for one in competitors)
    is_of_one = not model.is_convolutional and 1 in _batch_sizes(run, before)
    parts = ["data", "weights"]
    parts += ["batch_of_one"] if is_of_one and _has(competitors, *_WITH_BN) else []
    parts += [str(one) for one in _OVER_ROWS if _has(competitors, one)]
    parts += ["over_positions"] if model.is_convolutional and _has(competitors, *_OVER_ROWS) else []
    parts += ["drawn"] if draws else []
    parts += ["networks", "train"]
    imports, bodies = _split(_part(name) for name in parts)
    filled = {
        "        # @DROPOUT@": _DROPOUT if drops else "",
        "    # @SUMS@": _sums(),
        "    # @CASES@": _cases(model, competitors, is_of_one),
        "        # @DRAW@": "        draw(networks, step, settings)" if draws else "",
    }
    text = "\n\n\n".join([_head(run), imports, _constants(run, before), *bodies]) + "\n"
    for mark, content in filled.items():
        text = text.replace(f"{mark}\n", f"{content}\n" if content else "")
    return text


# --- what the run says ------------------------------------------------------------------------------------------------


def _head(run: Run) -> str:
    status = run.status
    return f'''"""A run of bnviz in plain PyTorch: {", ".join(one.label for one in run.competitors)}.

    python this_file.py FOLDER_WITH_MNIST [--steps N] [--every N]

needs torch, numpy and the four .gz files of MNIST (assets/mnist of bnviz has them). It starts from the same weights,
sees the same mini-batches, and changes what was changed at the same steps. It trains each network by itself, by
autograd and on the CPU, where bnviz trains all of them as one with a backward pass written out, so the two differ by
rounding: by some 1e-6 in the first losses, and by more and more after many steps, or where the run was on a GPU.

{textwrap.fill(f"{settings_in_words(run.settings)}; {status.step:,} steps.", 118)}
"""'''


def _constants(run: Run, before: HyperParams) -> str:
    model = run.settings.model
    networks = {
        one.label: {
            "normalization": str(one.normalization),
            "dropout": one.has_dropout,
            "initialization": str(one.starts_from(model).initialization),
            "init_scale": one.starts_from(model).init_scale,
        }
        for one in run.competitors
    }
    values = {
        "SEED": model.seed,
        "INPUT_FORM": str(model.input_form),
        "SAMPLING": str(model.sampling),
        "TRAINING_IMAGES": model.training_images,
        "CONVOLUTIONAL": model.is_convolutional,
        "HIDDEN_LAYERS": model.hidden_layers,
        "WIDTH": model.width,
        "SIDES": [layer.side for layer in model.layers[:-1]],
        "GROUPS": model.groups,
        "NORMALIZED_BEFORE": model.bn_placement == "before",
        "OPTIMIZER": str(model.optimizer),
        "STEPS": run.status.step,
        "NETWORKS": networks,
        "SETTINGS": asdict(before),
        "CHANGES": _changes(run),
        "MEASURED": _measured(run),
    }
    comments = {
        "SIDES": "positions a side of each hidden layer's output; 1 where there is no space",
        "NORMALIZED_BEFORE": "the nonlinearity, as in Ioffe & Szegedy 2015; otherwise after it",
        "SETTINGS": "at the beginning",
        "CHANGES": "after so many steps",
        "MEASURED": "test accuracy after so many steps, as bnviz measured it",
    }
    lines = [f"NONLINEARITY = {_NONLINEARITIES[model.nonlinearity]}"]
    for name, value in values.items():
        if name in comments:
            lines.append(f"# {name}: {comments[name]}")
        lines.append(f"{name} = {pformat(value, width=100, sort_dicts=False)}")
    return "\n".join(lines)


def _at_start(run: Run) -> HyperParams:
    """The live settings before anything was changed."""
    values = asdict(run.settings.hyper)
    for change in reversed(run.interventions):
        values[change.name] = change.old
    return _hyper(run.settings, values)


def _hyper(settings: Settings, values: Mapping[str, Any]) -> HyperParams:
    return settings.replace(**values).hyper


def _changes(run: Run) -> dict[int, dict[str, Any]]:
    changes: dict[int, dict[str, Any]] = {}
    for change in run.interventions:
        is_whole = change.name == "batch_size"
        changes.setdefault(change.step, {})[change.name] = int(change.new) if is_whole else change.new
    return changes


def _batch_sizes(run: Run, before: HyperParams) -> set[int]:
    changed = {int(change.new) for change in run.interventions if change.name == "batch_size"}
    return changed | {before.batch_size}


def _measured(run: Run) -> dict[int, dict[str, float]]:
    """Test accuracies at some of the run's points, evenly spaced among them, the last one included."""
    history = run.history
    points = np.flatnonzero(history.has_accuracy & (history.step > 0))
    chosen = (
        points[np.unique(np.linspace(0, len(points) - 1, MOST_MEASURED).round().astype(int))] if len(points) else []
    )
    return {
        int(history.step[m]): {
            one.label: round(float(accuracy), 4)
            for one, accuracy in zip(run.competitors, history.accuracy[m], strict=True)
            if np.isfinite(accuracy)
        }
        for m in chosen
    }


def _cases(model: ModelConfig, competitors: Iterable[Competitor], is_of_one: bool) -> str:
    """How each normalization of this run is made."""
    bn = "BatchNorm2d" if model.is_convolutional else "BatchNorm1d"
    norm = "BatchNormOfOne(WIDTH)" if is_of_one else f"nn.{bn}(WIDTH)"
    noise = "of_layer(Noise(), layer)"
    layer_norm = "nn.GroupNorm(1, WIDTH)" if model.is_convolutional else "nn.LayerNorm(WIDTH)"
    made = {
        Normalization.BATCH: norm,
        Normalization.LAYER: layer_norm,
        Normalization.GROUP: "nn.GroupNorm(GROUPS, WIDTH)",
        Normalization.NOISY_BATCH: f"{norm}, {noise}",
        Normalization.NOISE: noise,
    } | {one: f"OverPositions({text})" if model.is_convolutional else text for one, text in _OVER_ROWS.items()}
    present = {one.normalization: made[one.normalization] for one in competitors if one.normalization in made}
    return "\n".join(f'    if normalization == "{one}":\n        return [{text}]' for one, text in present.items())


def _has(competitors: Iterable[Competitor], *normalizations: Normalization) -> bool:
    return any(one.normalization in normalizations for one in competitors)


# --- its parts --------------------------------------------------------------------------------------------------------


@cache
def _part(name: str) -> str:
    try:
        return (FOLDER / f"{name}.py").read_text("utf-8")
    except OSError:
        raise DataError(f"assets/script/{name}.py is missing: restore it from the repository.") from None


@cache
def _sums() -> str:
    """The sums of the four files, as lines of a dictionary."""
    try:
        pairs = {name: digest for digest, name in map(str.split, MNIST_SUMS.read_text("utf-8").splitlines())}
    except (OSError, ValueError):
        raise DataError("assets/mnist/SHA256SUMS is missing: restore it from the repository.") from None
    names = [next(name for name in pairs if name.startswith(one)) for one in _FILES]
    return "\n".join(f'    "{name}": "{pairs[name]}",' for name in names)


def _split(parts: Iterable[str]) -> tuple[str, list[str]]:
    """All import statements, each once and in the customary order, and the rest of every part, headed by its title."""
    imports, bodies = set(), []
    for part in parts:
        title, _, rest = part.partition("\n")
        lines = rest.splitlines()
        imports |= {line for line in lines if re.match(r"(import|from) ", line)}
        body = "\n".join(line for line in lines if not re.match(r"(import|from) ", line)).strip()
        bodies.append(f"# --- {title.strip(chr(34))}\n\n\n{body}")
    theirs = [line for line in imports if re.search(r"(numpy|torch)", line)]
    own = sorted(imports - set(theirs), key=lambda line: (line.startswith("from"), line))
    return "\n".join([*own, "", *sorted(theirs, key=lambda line: (line.startswith("from"), line))]), bodies
