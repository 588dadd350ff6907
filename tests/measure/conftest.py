"""Small trained stacks to measure."""

import pytest
import torch

from bnviz import data
from bnviz.config import HyperParams, InputForm, ModelConfig, Normalization
from bnviz.models import Stack, initial_weights, make_optimizer

CPU = torch.device("cpu")
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def test_set():
    """Images [10000, 784] and labels [10000]."""
    mnist = data.load()
    return mnist.inputs(InputForm.BINARY, CPU)[1], mnist.labels(CPU)[1]


@pytest.fixture
def trained(test_set):
    """A function: the twins of a model after a few steps on images of the test set, for speed."""
    images, labels = test_set

    def make(model: ModelConfig, steps: int = 20, hyper: HyperParams = HyperParams(learning_rate=0.3)) -> Stack:  # noqa: B008
        stack = Stack(model, (Normalization.NONE, Normalization.BATCH))
        stack.set_weights(initial_weights(model))
        rule, batch = make_optimizer(stack), stack.activations(hyper.batch_size)
        for number in range(steps):
            rows = slice(number * hyper.batch_size, (number + 1) * hyper.batch_size)
            batch.fill(images[rows], labels[rows])
            stack.forward(batch)
            stack.loss(batch)
            rule.step(stack, batch, hyper)
            stack.update_running(batch, hyper.bn_momentum)
        return stack

    return make
