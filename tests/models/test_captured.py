"""Work that is recorded once and replayed does what it did when it was done step by step."""

import pytest
import torch

from bnviz import data
from bnviz.config import HyperParams, ModelConfig, Settings
from bnviz.models.captured import EAGER_RUNS, Captured, CudaGraph, captured_on
from bnviz.training import Trainer

SMALL = Settings(ModelConfig(width=33, hidden_layers=2))


class Recorder:
    """A recorder without a GPU: what it plays back is the very call that it was given when it recorded."""

    def __init__(self, made: list["Recorder"]) -> None:
        self.warmed = self.replayed = 0
        self._work = None
        made.append(self)

    def warm(self, work) -> None:
        self.warmed += 1
        work()

    def record(self, work) -> None:
        self._work = work

    def replay(self) -> None:
        self.replayed += 1
        self._work()


def test_the_first_runs_are_done_and_all_others_replayed():
    made, done = [], []
    captured = Captured(lambda: Recorder(made))
    for number in range(10):
        captured(lambda n=number: done.append(n), key="same")
    assert done == [*range(EAGER_RUNS), *[EAGER_RUNS] * (10 - EAGER_RUNS)]  # a recording knows nothing of later calls
    assert [(one.warmed, one.replayed) for one in made] == [(EAGER_RUNS, 10 - EAGER_RUNS)]


def test_another_key_is_another_recording():
    made = []
    captured = Captured(lambda: Recorder(made))
    for key in ("a", "a", "b", "b", "a"):
        captured(lambda: None, key)
    assert [one.warmed for one in made] == [2, 2, 1]


def test_on_a_cpu_nothing_is_recorded():
    done = []
    captured = captured_on(torch.device("cpu"))
    for number in range(5):
        captured(lambda n=number: done.append(n), key="same")
    assert done == [0, 1, 2, 3, 4]


CHANGING = [  # a visitor's live changes: some are new recordings, the learning rate is not
    *[HyperParams(learning_rate=0.1)] * 6,
    *[HyperParams(learning_rate=2.0)] * 3,
    *[HyperParams(learning_rate=2.0, batch_size=17)] * 5,
    *[HyperParams(momentum=0.9, bn_momentum=0.5)] * 5,
    *[HyperParams(weight_decay=0.01)] * 5,
]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_recorded_run_equals_one_done_step_by_step_bit_for_bit(optimizer):
    mnist, made = data.load(), []
    settings = SMALL.replace(optimizer=optimizer)
    plain, recorded = Trainer(settings, mnist), Trainer(settings, mnist)
    recorded._captured_forward = Captured(lambda: Recorder(made))
    recorded._captured_update = Captured(lambda: Recorder(made))
    for hyper in CHANGING:
        plain.step(hyper)
        recorded.step(hyper)
    expected, found = plain.checkpoint(), recorded.checkpoint()
    for name in expected:
        assert torch.equal(expected[name].nan_to_num(), found[name].nan_to_num()), name
    assert sum(one.replayed for one in made) > 10


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_graph_trains_as_the_same_kernels_one_by_one():
    mnist, settings = data.load(), SMALL.replace(device="cuda")
    plain, recorded = Trainer(settings, mnist), Trainer(settings, mnist)
    plain._captured_forward = plain._captured_update = Captured(None)
    assert isinstance(recorded._captured_forward._make_graph(), CudaGraph)
    for hyper in CHANGING:
        plain.step(hyper)
        recorded.step(hyper)
    expected, found = plain.checkpoint(), recorded.checkpoint()
    for name in expected:
        assert torch.allclose(expected[name], found[name], rtol=1e-4, atol=1e-6, equal_nan=True), name
