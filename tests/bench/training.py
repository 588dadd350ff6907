"""How fast the lab trains: the lock-step engine against a bare PyTorch loop over the same two networks.

    python -m tests.bench.training [--steps 20000] [--shapes] [--probes]

All ways take turns within one run, one thread each, and the seconds are the processor's, so that what else runs on the
machine hardly counts: on an idle one they are the clock's. What counts are the ratios. Prints them and writes
tests/bench/results/training.json.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from bnviz import data
from bnviz.config import Directions, HyperParams, ModelConfig, Normalization, Settings, step_milliseconds
from bnviz.data import Batches, Mnist
from bnviz.models import Stack
from bnviz.training import Trainer
from bnviz.training.bare import bare_network

RESULTS = Path(__file__).parent / "results" / "training.json"
FRESH_POINT_SECONDS = 0.2  # the lab's cadence while somebody watches
ACCURACY_SECONDS = 0.39  # test accuracy is with every other of them
GRADIENT_SECONDS = 0.9
TURN_STEPS = 250
SHAPES = (
    (3, 100, 60),
    (3, 100, 1024),
    (10, 100, 60),
    (20, 100, 60),
    (3, 512, 60),
    (10, 200, 256),
    (10, 32, 16),
    (3, 100, 512),
)
CPU = torch.device("cpu")

Step = Callable[[], object]


def bare_loop(settings: Settings, mnist: Mnist) -> Step:
    """One step of two `nn.Sequential` with `torch.optim.SGD` on one mini-batch: what one would write without bnviz."""
    nets = [bare_network(settings.model, has_bn) for has_bn in (False, True)]
    return bare_steps(settings, mnist, nets, [settings.hyper.learning_rate] * 2, CPU)


def bare_steps(
    settings: Settings, mnist: Mnist, nets: list[nn.Sequential], rates: list[float], device: torch.device
) -> Step:
    """One step of each of these networks in turn, on one mini-batch, each with its own optimizer."""
    images, labels = mnist.inputs(settings.model.input_form, device)[0], mnist.labels(device)[0]
    rules = [torch.optim.SGD(net.parameters(), lr=rate) for net, rate in zip(nets, rates, strict=True)]
    batches = Batches(settings.model.seed)

    def step() -> None:
        index = batches.take(settings.hyper.batch_size).to(device)
        x, y = images[index], labels[index]
        for net, rule in zip(nets, rules, strict=True):
            rule.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            rule.step()

    return step


def products_alone(settings: Settings) -> Step:
    """The matrix products of one step of the twins and nothing else: a bound that no engine passes."""
    stack = Stack(settings.model, [Normalization.NONE, Normalization.BATCH])
    batch = stack.activations(settings.hyper.batch_size)
    weights = stack.parameters.weights
    deltas = [delta[:, :, : weight.shape[2]] for delta, weight in zip(batch.deltas, weights, strict=True)]

    def step() -> None:
        for u, weight, product in zip(batch.inputs, weights, batch.products, strict=True):
            torch.bmm(u, weight, out=product)
        for layer, (u, weight) in reversed(list(enumerate(zip(batch.inputs, weights, strict=True)))):
            if layer > 0:
                torch.bmm(deltas[layer], weight.transpose(1, 2), out=deltas[layer - 1])
            weight.baddbmm_(u.transpose(1, 2), deltas[layer], alpha=-0.1)

    return step


def engine(settings: Settings, mnist: Mnist) -> Step:
    """One lock-step of the lab's engine, without probes."""
    trainer = Trainer(settings, mnist)
    return lambda: trainer.step(settings.hyper)


class WatchedEngine:
    """The same with every default probe at the lab's cadence.

    That is the schedule, a fresh point every 0.2 s, every other with its test accuracy, and the gradient histograms
    every second.
    """

    def __init__(self, settings: Settings, mnist: Mnist) -> None:
        self.trainer = Trainer(settings, mnist, clock=time.process_time)
        self.points = self.scheduled_points = self.accuracies = self.gradients = 0
        self.watched_seconds = self._gradients_at = self._accuracy_at = 0.0
        self._measure(is_scheduled=True)

    def __call__(self) -> None:
        start = time.process_time()
        self.trainer.step(self.trainer.settings.hyper)
        if self.trainer.is_due:
            self._measure(is_scheduled=True)
        elif self.watched_seconds - self._measured_at > FRESH_POINT_SECONDS:
            self._measure(is_scheduled=False)
        if self.watched_seconds - self._gradients_at > GRADIENT_SECONDS:
            self.trainer.gradients()
            self.gradients += 1
            self._gradients_at = self.watched_seconds
        self.watched_seconds += time.process_time() - start

    def _measure(self, is_scheduled: bool) -> None:
        self._measured_at = self.watched_seconds
        with_accuracy = is_scheduled or self.watched_seconds - self._accuracy_at > ACCURACY_SECONDS
        if with_accuracy:
            self._accuracy_at = self.watched_seconds
        self.trainer.measure(is_scheduled, with_accuracy)
        self.points += 1
        self.accuracies += with_accuracy
        self.scheduled_points += is_scheduled


def seconds_of(step: Step, steps: int) -> float:
    start = time.process_time()
    for _ in range(steps):
        step()
    return time.process_time() - start


def compare(settings: Settings, mnist: Mnist, steps: int, is_watched: bool = True) -> dict[str, float]:
    """All ways in turns of a few hundred steps; rates are steps a second over the whole run."""
    ways: dict[str, Step] = {
        "bare loop": bare_loop(settings, mnist),
        "engine": engine(settings, mnist),
        "products alone": products_alone(settings),
    }
    watched = WatchedEngine(settings, mnist) if is_watched else None
    if watched is not None:
        ways["engine with probes"] = watched
    for step in ways.values():
        seconds_of(step, 5)
    turn = min(TURN_STEPS, steps)
    turns: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(steps // turn):
        for name, step in ways.items():
            turns[name].append(seconds_of(step, turn))
    rates = {name: turn * len(taken) / sum(taken) for name, taken in turns.items()}
    found = {f"{name}, steps/s": rate for name, rate in rates.items()}
    found["without probes / bare"] = paired_ratio(turns["bare loop"], turns["engine"])
    found["without probes / products"] = paired_ratio(turns["products alone"], turns["engine"])
    if watched is not None:
        found["with probes / bare"] = rates["engine with probes"] / rates["bare loop"]
        found["points measured"] = watched.points
        found["test accuracies"] = watched.accuracies
        found["scheduled points"] = watched.scheduled_points
        found["gradient histograms"] = watched.gradients
    return found


def paired_ratio(slow: list[float], fast: list[float]) -> float:
    """Median of the ratios of neighbouring turns: what another process does to one turn does not decide."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def cost_of_probes(mnist: Mnist) -> dict[str, float]:
    """Milliseconds of each probe on its own, the median of 15, on the default twins after 100 steps."""
    trainer = Trainer(Settings(), mnist, clock=time.process_time)
    for _ in range(100):
        trainer.step(HyperParams())
    trainer.measure(is_scheduled=True)
    from bnviz.measure import activations

    stack, probes = trainer._stack, trainer._instruments
    inputs = probes._probe.sorted_inputs(stack)
    pooled = activations.pooled(inputs)
    ways: dict[str, Step] = {
        "one step, for comparison": lambda: trainer.step(HyperParams()),
        "test accuracy": lambda: probes._accuracy.measure(stack),
        "probe forward, sorted": lambda: probes._probe.sorted_inputs(stack),
        "bands": lambda: activations.bands(inputs, trainer.units),
        "density": lambda: activations.quantiles(activations.pooled(inputs)),
        "drift distances": lambda: probes.drift.net(inputs),
        "saturated and dead": lambda: (
            activations.saturated(pooled, stack.model),
            activations.dead(inputs, stack.model),
        ),
        "update ratio": trainer._latest_update_ratio,
        "own compute time": lambda: trainer._compute_time.rehearse(
            trainer.step_count, trainer._training, stack, trainer._optimizer, trainer._last, HyperParams()
        ),
        "gradient histograms": trainer.gradients,
        "contour, whole": lambda: list(trainer.contour(Directions.PATHS)),
    }
    return {name: 1000 * statistics.median(seconds_of(step, 1) for _ in range(15)) for name, step in ways.items()}


def shares(probes: dict[str, float], twins: dict[str, float], steps: int) -> dict[str, float]:
    """Each probe's share of the time that the same steps take without probes."""
    training_ms = 1000 * steps / twins["engine, steps/s"]
    times = {
        "test accuracy": "test accuracies",
        "own compute time": "scheduled points",
        "gradient histograms": "gradient histograms",
    }
    return {
        name: milliseconds * twins[times.get(name, "points measured")] / training_ms
        for name, milliseconds in probes.items()
        if name not in ("one step, for comparison", "contour, whole")
    }


def cost_of_shapes(mnist: Mnist) -> dict[str, dict[str, float]]:
    """Milliseconds of a twin step by shape, beside the estimate that bounds the settings and the bare loop."""
    table = {}
    for layers, width, batch in SHAPES:
        for nonlinearity, scale in (("sigmoid", 0.1), ("relu", 0.05)):
            model = ModelConfig(hidden_layers=layers, width=width, nonlinearity=nonlinearity, init_scale=scale)
            settings = Settings(model, HyperParams(batch_size=batch, learning_rate=0.01))
            steps, turn_count = max(4, int(60 / step_milliseconds(settings))), 12
            bare, ours = bare_loop(settings, mnist), engine(settings, mnist)
            turns = [(seconds_of(bare, steps) / steps, seconds_of(ours, steps) / steps) for _ in range(turn_count)][1:]
            name = f"{layers} x {width}, batch {batch}, {nonlinearity}"
            table[name] = {
                "engine ms": 1000 * min(our for _, our in turns),
                "bare ms": 1000 * min(theirs for theirs, _ in turns),
                "ratio": statistics.median(theirs / our for theirs, our in turns),
                "estimate ms": step_milliseconds(settings),
            }
    return table


def show(title: str, found: dict[str, float]) -> None:
    print(title)
    for name, value in found.items():
        print(f"  {name:<34} {value:10.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--probes", action="store_true", help="also the cost of each probe")
    parser.add_argument("--shapes", action="store_true", help="also the cost of a step by shape")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    mnist = data.load()
    result: dict[str, object] = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__}
    result["twins"] = twins = compare(Settings(), mnist, arguments.steps)
    show(f"the lab's twins, 3 x 100 sigmoid, batch 60, {arguments.steps} steps", twins)
    if arguments.probes:
        result["probes, ms"] = probes = cost_of_probes(mnist)
        show("each probe, ms", probes)
        result["probes, shares"] = parts = shares(probes, twins, arguments.steps)
        show("each probe, share of the training time", parts)
    if arguments.shapes:
        result["shapes"] = shapes = cost_of_shapes(mnist)
        for name, found in shapes.items():
            show(name, found)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
