"""The paper's cousins: they find what the same runs find alone; ensembles average; the cost of BN is timed in turns."""

import platform
import time
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from bnviz import data
from bnviz.config import (
    BASE,
    BATCHES_TIMED,
    SHAPES,
    TWINS,
    WIDTHS_TIMED,
    Architecture,
    Condition,
    CostConfig,
    CousinsConfig,
    Nonlinearity,
    Settings,
)
from bnviz.data import Mnist
from bnviz.measure.accuracy import TestAccuracy
from bnviz.records import COUSIN_MOMENTS, LOOPS, Cost, Cousins
from bnviz.runs.recorded import FOLDER
from bnviz.runs.store import load_run
from bnviz.training import Trainer, run_cousins, time_steps
from bnviz.training.bare import bare_network, bare_step
from bnviz.training.cousins import Ensembles
from bnviz.training.moments import on_all, parts_of

torch.set_num_threads(1)

STEPS = 200


@dataclass(frozen=True)
class Fewer(CousinsConfig):
    """Two of the six conditions: the baseline's, and the sigmoid's."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        every = super().conditions
        return every[BASE], every[-1]


class Clock:
    """Time that passes by a millisecond whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-3
        return self.now


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    """A tenth of all images: everything takes a fraction of the time."""
    whole = data.load()
    return Mnist(
        whole.train_images[:6000], whole.train_labels[:6000], whole.test_images[:1000], whole.test_labels[:1000]
    )


@pytest.fixture(scope="module")
def items(mnist: Mnist) -> list[Cousins]:
    """All items of an experiment of two seeds."""
    return list(run_cousins(Fewer(steps=STEPS, seeds=2), mnist, Clock()))


# --- the runs ---------------------------------------------------------------------------------------------------------


def test_a_run_within_the_experiment_is_the_same_run_alone(mnist: Mnist, items: list[Cousins]) -> None:
    config = items[-1].config
    alone = Trainer(config.conditions[0].with_seed(1), mnist, TWINS)
    for _ in range(STEPS):
        alone.step(alone.settings.hyper)
    found = alone.accuracy_on(TestAccuracy(alone.settings.model, *alone.test_set))
    np.testing.assert_allclose(items[-1].accuracy[:, 0, 1, -1], found, atol=1e-7)


def test_accuracy_is_measured_at_every_moment_on_all_test_images(mnist: Mnist, items: list[Cousins]) -> None:
    config = items[-1].config
    trainer = Trainer(config.conditions[0].with_seed(0), mnist, TWINS)
    test = TestAccuracy(trainer.settings.model, *trainer.test_set)
    for t, step in list(enumerate(items[-1].steps))[:8]:
        while trainer.step_count < step:
            trainer.step(trainer.settings.hyper)
        np.testing.assert_allclose(items[-1].accuracy[:, 0, 0, t], trainer.accuracy_on(test), atol=1e-7)


def test_items_fill_in_more_and_more_and_later_work_changes_none(items: list[Cousins]) -> None:
    known = [int(np.isfinite(one.accuracy).sum()) for one in items]
    assert all(a <= b for a, b in pairwise(known))
    assert all(a.done <= b.done for a, b in pairwise(items))
    assert known[0] == 0
    half = next(one for one in items if np.isfinite(one.diverged_step[:, :, 0]).all())
    assert np.isnan(half.accuracy[:, 1:, 1]).all()
    assert np.isfinite(half.accuracy[:, :, 0]).all()


def test_the_last_item_is_whole(items: list[Cousins]) -> None:
    assert items[-1].done == 1
    assert np.isfinite(items[-1].accuracy).all()
    assert np.isfinite(items[-1].ensemble_accuracy).all()


def test_the_same_experiment_gives_the_same_numbers_and_times_only_by_a_clock(
    mnist: Mnist, items: list[Cousins]
) -> None:
    for again in run_cousins(Fewer(steps=STEPS, seeds=2), mnist):
        if np.isfinite(again.diverged_step[:, 0, 0]).all():
            break
    np.testing.assert_array_equal(again.accuracy[:, 0, 0], items[-1].accuracy[:, 0, 0])
    assert np.isnan(again.step_milliseconds).all()


def test_a_step_of_each_network_is_timed_alone(items: list[Cousins]) -> None:
    timed = items[-1].step_milliseconds[:, :, 0]
    np.testing.assert_allclose(timed, 1.0, rtol=1e-6)  # between two looks at this clock


def test_moments_are_many_dense_early_and_whole_steps_apart() -> None:
    assert len(COUSIN_MOMENTS) >= 30
    assert (COUSIN_MOMENTS[0], COUSIN_MOMENTS[-1]) == (0, 1)
    assert (np.diff(COUSIN_MOMENTS) > 0).all()
    assert np.diff(COUSIN_MOMENTS)[:5].max() < np.diff(COUSIN_MOMENTS)[6:].min()


def test_timing_steps_changes_nothing_of_training(mnist: Mnist) -> None:
    settings = CousinsConfig().conditions[BASE].settings
    timed, untimed = Trainer(settings, mnist, TWINS, Clock()), Trainer(settings, mnist, TWINS)
    for _ in range(5):
        timed.seconds_a_step()
        for one in (timed, untimed):
            one.step(settings.hyper)
    one, other = timed.checkpoint(), untimed.checkpoint()
    assert all(torch.equal(one[name], other[name]) for name in one if name.startswith(("plain/", "bn/")))


@pytest.mark.slow
def test_the_first_thousand_steps_of_the_recorded_baselines_come_out_again() -> None:
    """Bit for bit with the same torch on the same class of machine, within two points elsewhere."""
    run = load_run(FOLDER / "paper-cousins")
    recorded, whole = run.cousins, data.load()
    assert recorded is not None
    settings = recorded.config.conditions[BASE].with_seed(0)
    trainer = Trainer(settings, whole, TWINS)
    parts = parts_of(settings.model, *trainer.test_set)
    is_same = torch.__version__ in run.origin and f"{platform.machine()} CPU" in run.origin
    is_same = is_same and trainer.device_name == "CPU"
    for t in np.flatnonzero(recorded.steps <= 1000):
        while trainer.step_count < recorded.steps[t]:
            trainer.step(settings.hyper)
        found = np.empty(len(TWINS))
        for _ in on_all(found, parts, trainer.accuracy_on):
            pass
        np.testing.assert_allclose(found, recorded.accuracy[:, BASE, 0, t], rtol=0, atol=0 if is_same else 0.02)


# --- ensembles --------------------------------------------------------------------------------------------------------


def test_an_ensemble_answers_by_the_mean_of_its_members_softmax_outputs() -> None:
    """Against NumPy, member by member."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 500)
    logits = rng.normal(0, 1, (6, 2, 500, 10)) + 1.2 * np.eye(10)[labels]
    outputs = np.exp(logits) / np.exp(logits).sum(axis=3, keepdims=True)
    ensembles = Ensembles(2, labels)
    for r in range(6):
        found = ensembles.add(outputs[r])
        expected = [(outputs[: r + 1, k].mean(axis=0).argmax(axis=1) == labels).mean() for k in range(2)]
        np.testing.assert_allclose(found, expected)
    alone = (outputs.argmax(axis=3) == labels).mean(axis=2)
    assert (found > alone.max(axis=0)).all()  # as it should be with independent errors


def test_a_network_that_diverged_does_not_join() -> None:
    labels = np.array([0, 1])
    right, lost = np.eye(10)[labels], np.full((2, 10), np.nan)
    ensembles = Ensembles(2, labels)
    assert np.isnan(ensembles.add(np.stack([lost, lost]))).all()
    np.testing.assert_array_equal(ensembles.add(np.stack([right, lost])), [1.0, np.nan])
    np.testing.assert_array_equal(ensembles.add(np.stack([lost, right])), [1.0, 1.0])


def test_an_ensemble_of_one_is_the_network_itself_and_of_two_is_their_mean(mnist: Mnist, items: list[Cousins]) -> None:
    last = items[-1]
    np.testing.assert_allclose(last.ensemble_accuracy[:, :, 0], last.accuracy[:, :, 0, -1], atol=1e-7)
    outputs = []
    for seed in range(2):
        trainer = Trainer(last.config.conditions[0].with_seed(seed), mnist, TWINS)
        for _ in range(STEPS):
            trainer.step(trainer.settings.hyper)
        outputs.append(trainer.probabilities_on(TestAccuracy(trainer.settings.model, *trainer.test_set)))
    answers = np.mean(outputs, axis=0).argmax(axis=2)
    shares = (answers == mnist.test_labels.numpy()).mean(axis=1)
    np.testing.assert_allclose(last.ensemble_accuracy[:, 0, 1], shares)


@pytest.mark.parametrize("architecture", list(Architecture))
def test_softmax_outputs_sum_to_one_and_their_largest_is_the_answer(mnist: Mnist, architecture: Architecture) -> None:
    size = {"hidden_layers": 2, "width": 16}
    trainer = Trainer(Settings().replace(architecture=architecture, **size), mnist, TWINS)
    trainer.step(trainer.settings.hyper)
    part = parts_of(trainer.settings.model, *trainer.test_set)[0]
    outputs = trainer.probabilities_on(part)
    np.testing.assert_allclose(outputs.sum(axis=2), 1, atol=1e-6)
    labels = trainer.test_set[1][::5].cpu().numpy()
    np.testing.assert_allclose((outputs.argmax(axis=2) == labels).mean(axis=1), trainer.accuracy_on(part), atol=1e-7)


# --- what BN costs ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def costs(mnist: Mnist) -> list[Cost]:
    return list(time_steps(CostConfig(hidden_layers=1, repetitions=3), mnist, Clock()))


def test_every_size_batch_loop_and_network_is_timed_as_often_as_asked(costs: list[Cost]) -> None:
    last = costs[-1]
    widths = len(WIDTHS_TIMED[SHAPES[0]])
    assert last.milliseconds.shape == (len(SHAPES), widths, len(BATCHES_TIMED), len(LOOPS), len(TWINS), 3)
    assert np.isfinite(last.milliseconds).all()
    assert last.done == 1
    assert last.threads == torch.get_num_threads()


def test_times_come_in_turns_so_that_a_slow_moment_meets_every_network(costs: list[Cost]) -> None:
    """Each way is timed once before any is timed twice."""
    for item in costs:
        counts = np.isfinite(item.milliseconds).sum(axis=5).reshape(-1, len(LOOPS) * len(TWINS))
        assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()
        assert (counts.max(axis=1)[:-1] >= counts.max(axis=1)[1:]).all()


def test_the_time_of_a_step_is_that_of_many_divided_by_their_number(mnist: Mnist) -> None:
    """A clock that only advances while steps are taken: 2 ms in each of ours with BN, 1 ms in any other."""
    now = [0.0]
    config = CostConfig(hidden_layers=1, repetitions=3)
    original = Trainer.step

    def step(self: Trainer, hyper: object) -> None:
        now[0] += 2e-3 if self.competitors[0].name == "bn" else 1e-3

    Trainer.step = step  # type: ignore[assignment, method-assign]
    try:
        for item in time_steps(config, mnist, lambda: now[0]):
            if np.isfinite(item.milliseconds[0, 0, 0, 0]).all():
                break
    finally:
        Trainer.step = original  # type: ignore[method-assign]
    np.testing.assert_allclose(item.milliseconds[0, 0, 0, 0], [[1.0] * 3, [2.0] * 3])


def test_timing_leaves_a_run_beside_it_as_it_would_be(mnist: Mnist) -> None:
    settings = Settings().replace(hidden_layers=1, width=16)
    beside, alone = Trainer(settings, mnist, TWINS), Trainer(settings, mnist, TWINS)
    study = time_steps(CostConfig(hidden_layers=1, repetitions=3), mnist, time.thread_time)
    for _ in range(12):
        beside.step(settings.hyper)
        next(study)
        alone.step(settings.hyper)
    one, other = beside.checkpoint(), alone.checkpoint()
    assert all(torch.equal(one[name], other[name]) for name in one if name.startswith(("plain/", "bn/")))


@pytest.mark.parametrize("has_bn", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bare_network_has_the_sizes_of_ours_and_a_bias_less_with_bn(shape: Architecture, has_bn: bool) -> None:
    model = CostConfig().settings(shape, WIDTHS_TIMED[shape][0], 16).model
    net = bare_network(model, has_bn)
    matrices = [one for one in net.parameters() if one.dim() > 1]
    assert [one.numel() for one in matrices] == [layer.weights for layer in model.layers]
    norms = [one for one in net if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(norms) == (model.hidden_layers if has_bn else 0)
    hidden = [one for one in net if isinstance(one, nn.Linear | nn.Conv2d)][:-1]
    assert all((one.bias is None) is has_bn for one in hidden)
    assert net(torch.zeros(3, 784)).shape == (3, 10)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_bare_step_is_the_one_of_torchs_own_sgd(shape: Architecture) -> None:
    model = CostConfig(nonlinearity=Nonlinearity.TANH).settings(shape, WIDTHS_TIMED[shape][1], 16).model
    ours, theirs = bare_network(model, True), bare_network(model, True)
    theirs.load_state_dict(ours.state_dict())
    rule = torch.optim.SGD(theirs.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        images = torch.rand(16, 784, generator=generator)
        labels = torch.randint(0, 10, (16,), generator=generator)
        bare_step(ours, images, labels, 0.1)
        rule.zero_grad()
        nn.functional.cross_entropy(theirs(images), labels).backward()  # type: ignore[no-untyped-call]
        rule.step()
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, its)


def test_a_condition_differs_from_the_baseline_in_its_rate_or_its_nonlinearity_alone() -> None:
    conditions = CousinsConfig().conditions
    base = conditions[BASE].settings
    for one in conditions[:-1]:
        assert one.settings.replace(learning_rate=base.hyper.learning_rate) == base
    sigmoid = conditions[-1].settings
    assert sigmoid.model.nonlinearity is Nonlinearity.SIGMOID
    assert sigmoid.replace(nonlinearity=Nonlinearity.RELU) == conditions[3].settings
    assert replace(CousinsConfig(), learning_rate=0.01).conditions[4].settings.hyper.learning_rate == 0.3
