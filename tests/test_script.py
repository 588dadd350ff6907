"""The script that reproduces a run in plain PyTorch does so, for everything that the lab can set."""

import ast
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnviz import data
from bnviz.config import Network, Settings
from bnviz.records import HistoryBuilder, Intervention, Phase, Run, Status
from bnviz.training import Trainer
from bnviz.ui.script import script

STEPS = 6
FEW_STEPS = 4  # of convolutions, whose accuracy on all test images takes long
SMALL: dict[str, Any] = {"hidden_layers": 2, "width": 20, "batch_size": 30, "training_images": 2000}
CHANGED = {3: {"learning_rate": 0.05, "batch_size": 24, "momentum": 0.5, "weight_decay": 0.001, "bn_momentum": 0.3}}
ALL = tuple(Network)
CONVOLUTIONAL: dict[str, Any] = {"architecture": "convolutional", "width": 12, "groups": 3}
CASES: dict[str, tuple[dict[str, Any], Mapping[int, dict[str, Any]]]] = {
    "the twins, changed live": ({"learning_rate": 0.2}, CHANGED),
    "momentum taken away and given back": (
        {"momentum": 0.9, "learning_rate": 0.1, "nonlinearity": "tanh", "initialization": "he"},
        {2: {"momentum": 0.0}, 4: {"momentum": 0.5}},
    ),
    "Adam": (
        {"optimizer": "adam", "learning_rate": 0.003, "momentum": 0.9, "nonlinearity": "relu", "seed": 7},
        {3: {"momentum": 0.5, "weight_decay": 0.01}},
    ),
    "over the units": (
        {"networks": ("layer", "group", "weight"), "nonlinearity": "gelu", "input_form": "raw"},
        CHANGED,
    ),
    "over the batch": (
        {"networks": ("batch", "renormalization", "decorrelated"), "nonlinearity": "leaky_relu", "learning_rate": 0.1},
        {3: {"r_max": 1.5, "d_max": 0.5, "bn_momentum": 0.5}},
    ),
    "noise": ({"networks": ("none", "batch", "noisy_batch", "noise"), "learning_rate": 0.1}, {3: {"noise_mean": 2.0}}),
    "dropout": ({"networks": ("dropout", "batch_dropout"), "learning_rate": 0.1}, {3: {"dropout": 0.2}}),
    "own starts": (
        {"networks": ("lsuv", "orthogonal", "he", "glorot"), "input_form": "standardised", "learning_rate": 0.05},
        {},
    ),
    "normalized after": (
        {"networks": ("group", "weight", "renormalization", "noisy_batch"), "bn_placement": "after"}
        | {"learning_rate": 0.1, "initialization": "glorot"},
        {},
    ),
    "dropout after": ({"networks": ("batch", "noise", "batch_dropout"), "bn_placement": "after"}, {}),
    "two classes": ({"sampling": "two_classes", "initialization": "orthogonal", "learning_rate": 0.1}, CHANGED),
    "sorted": ({"sampling": "sorted", "initialization": "lsuv", "nonlinearity": "identity", "learning_rate": 0.01}, {}),
    "an epoch's end": ({"training_images": 100, "batch_size": 40}, {}),
    "one image a batch": (
        {"batch_size": 1, "networks": ("none", "batch", "renormalization"), "learning_rate": 0.1},
        {},
    ),
    "convolutions": ({**CONVOLUTIONAL, "networks": ("none", "batch", "layer", "group"), "learning_rate": 0.1}, CHANGED),
    "more convolutions": (
        {**CONVOLUTIONAL, "networks": ("weight", "renormalization", "decorrelated", "noisy_batch")}
        | {"learning_rate": 0.05, "bn_placement": "after"},
        {},
    ),
    "convolutions with dropout": (
        {**CONVOLUTIONAL, "networks": ("dropout", "batch_dropout", "lsuv"), "learning_rate": 0.05},
        {},
    ),
}


def measured(settings: Settings, changes: Mapping[int, dict[str, Any]], steps: int = STEPS) -> Run:
    """A run of some steps, each of them measured."""
    trainer, interventions = Trainer(settings, data.load()), []
    history, now = HistoryBuilder(trainer.competitors, trainer.units), settings
    history.append(trainer.measure(True))
    while trainer.step_count < steps:
        for name, value in changes.get(trainer.step_count, {}).items():
            interventions.append(Intervention(trainer.step_count, name, now.get(name), value))
            now = now.replace(**{name: value})
        trainer.step(now.hyper)
        history.append(trainer.measure(True))
    status = Status(Phase.PAUSED, 0, steps, 0.0, "CPU", trainer.health)
    return Run("run", now, status, history.history(), tuple(interventions))


def reproduced(run: Run, folder: Path) -> dict[tuple[int, str], tuple[float, float]]:
    """Loss and test accuracy by step and network, from a process that knows nothing of bnviz."""
    path = folder / "run.py"
    path.write_text(script(run), "utf-8")
    answer = subprocess.run(
        [sys.executable, "-I", "-W", "error", str(path), str(data.FOLDER), "--every", "1"],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    rows = [line.split("\t") for line in answer.stdout.splitlines()[1:]]
    return {(int(step), label): (float(loss), float(accuracy)) for step, label, loss, accuracy, *_ in rows}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_script_gives_the_losses_and_accuracies_of_the_run(case: str, tmp_path: Path) -> None:
    values, changes = CASES[case]
    settings = Settings().replace(**SMALL | values)
    run = measured(settings, changes, FEW_STEPS if settings.model.is_convolutional else STEPS)
    found = reproduced(run, tmp_path)
    history = run.history
    for m in range(1, len(history)):
        for k, one in enumerate(run.competitors):
            loss, accuracy = found[int(history.step[m]), one.label]
            assert loss == pytest.approx(float(history.loss[m, k]), rel=2e-3, abs=2e-5), (m, one.label)
            assert accuracy == pytest.approx(float(history.accuracy[m, k]), abs=0.003), (m, one.label)


def test_between_them_the_cases_have_every_network() -> None:
    compared = [values.get("networks", ("none", "batch")) for values, _ in CASES.values()]
    assert {one for networks in compared for one in networks} == {str(one) for one in ALL}


def test_a_script_needs_nothing_but_numpy_and_torch_and_has_no_part_that_it_does_not_use() -> None:
    text = script(measured(Settings().replace(**SMALL), {}))
    modules = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {one.names[0].name if isinstance(one, ast.Import) else str(one.module) for one in modules}
    assert {name.split(".")[0] for name in names} <= {
        "argparse",
        "gzip",
        "hashlib",
        "itertools",
        "math",
        "pathlib",
        "numpy",
        "torch",
    }
    assert "bnviz" not in {name.split(".")[0] for name in names}
    for absent in ("Noise", "BatchRenorm", "InverseRoot", "OverPositions", "@"):
        assert absent not in text.replace("@staticmethod", "").replace("parts.mT @", "")


def test_a_script_begins_with_what_was_set_before_anything_was_changed() -> None:
    run = measured(Settings().replace(**SMALL), CHANGED)
    before = replace(run, interventions=(), settings=Settings().replace(**SMALL))
    settings = [line for line in script(run).splitlines() if "'learning_rate'" in line]
    assert any("0.5" in line for line in settings)
    assert np.isfinite(run.history.loss[-1]).all()
    assert "CHANGES = {}" in script(before)
