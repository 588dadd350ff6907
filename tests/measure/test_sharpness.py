"""The largest eigenvalue against whole Hessians of PyTorch's own networks, and against matrices that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bnviz import data
from bnviz.config import (
    WITH_NOISE,
    BnPlacement,
    Initialization,
    InputForm,
    Measure,
    ModelConfig,
    Nonlinearity,
    Normalization,
    Settings,
    networks_of,
)
from bnviz.measure.sharpness import MOST_PRODUCTS, TOLERANCE, Hessian, largest_eigenvalue, sharpness
from bnviz.models import Collect, Parameters, Stack, initial_weights
from bnviz.training import Trainer, train
from tests.models import reference

torch.set_num_threads(1)
LIT = 8  # pixels that the images below light
IMAGES = 24
TWINS = (Normalization.NONE, Normalization.BATCH)
SMALL = Settings().replace(width=12, hidden_layers=2)


@pytest.fixture(scope="module")
def mnist():
    return data.load()


def batch_of(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Images whose lit pixels are few, so that a whole Hessian is small. [b, 784], [b]"""
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(IMAGES, 784, dtype=dtype)
    images[:, 300 : 300 + LIT] = (torch.rand(IMAGES, LIT, generator=generator) > 0.5).to(dtype)
    return images, torch.randint(0, 10, (IMAGES,), generator=generator)


def a_model(**changes) -> ModelConfig:
    given = {"width": 10, "hidden_layers": 2, "initialization": Initialization.HE, "init_scale": 1.0} | changes
    return ModelConfig(**given)


def a_stack(model: ModelConfig, normalizations=TWINS, dtype: torch.dtype = torch.float64) -> Stack:
    stack = Stack(model, normalizations, dtype)
    stack.set_weights(initial_weights(model))
    return stack


def whole_hessian(model: ModelConfig, normalization: Normalization, images: Tensor, labels: Tensor) -> Tensor:
    """Of an `nn.Sequential` at its initial weights, by autograd, without the columns of pixels that are never lit."""
    net = reference.network(model, normalization, initial_weights(model), images.dtype)
    for bn in reference.of_kind(net, nn.BatchNorm1d):
        bn.track_running_stats, bn.running_mean, bn.running_var = False, None, None
    values = {name: value.detach() for name, value in net.named_parameters()}
    lit = images.any(dim=0)
    shown = {name: value[:, lit] if name == "0.weight" else value for name, value in values.items()}

    def loss(flat: Tensor) -> Tensor:
        parts = flat.split([one.numel() for one in shown.values()])
        given = {name: part.view_as(one) for (name, one), part in zip(shown.items(), parts, strict=True)}
        narrow = nn.functional.linear(images[:, lit], given.pop("0.weight"), given.pop("0.bias", None))
        return nn.functional.cross_entropy(torch.func.functional_call(net[1:], given, (narrow,)), labels)

    # Row by row: under vmap, as in torch.func, the second derivative of PyTorch 2.13's batch norm is not symmetric.
    return torch.autograd.functional.hessian(loss, torch.cat([one.flatten() for one in shown.values()]))


def largest(matrix: Tensor) -> float:
    return float(torch.linalg.eigvalsh(matrix)[-1])


def last(items):
    *_, item = items
    return item


def products_for(matrix: Tensor, start: Tensor) -> tuple[int, float]:
    found = list(largest_eigenvalue(lambda v: matrix @ v, start))
    return len(found), found[-1].eigenvalue


def random_vector(length: int, seed: int = 0) -> Tensor:
    return torch.randn(length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_eigenvalues(values: Tensor, seed: int = 0) -> Tensor:
    """A symmetric matrix with these eigenvalues."""
    n = len(values)
    axes, _ = torch.linalg.qr(random_vector(n * n, seed).view(n, n))
    return axes * values @ axes.T


# --- the eigenvalue of a matrix ---------------------------------------------------------------------------------------


def test_of_a_known_matrix_it_is_the_largest_eigenvalue() -> None:
    values = torch.cat([torch.linspace(-1, 1, 199, dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)])
    _, found = products_for(with_eigenvalues(values), random_vector(200))
    assert found == pytest.approx(3.0, rel=1e-3)


def test_a_negative_eigenvalue_however_large_in_size_is_not_the_largest() -> None:
    values = torch.cat([torch.tensor([-20.0, -9.0], dtype=torch.float64), torch.linspace(-1, 2, 198).double()])
    _, found = products_for(with_eigenvalues(values), random_vector(200))
    assert found == pytest.approx(2.0, rel=0.02)


def test_where_all_eigenvalues_are_negative_the_largest_is_nearest_to_zero() -> None:
    values = torch.linspace(-9, -1, 12, dtype=torch.float64)
    _, found = products_for(with_eigenvalues(values), random_vector(12))
    assert found == pytest.approx(-1.0, rel=1e-3)


def test_it_grows_from_below_and_the_residual_bounds_the_distance_to_an_eigenvalue() -> None:
    values = torch.linspace(-2, 5, 300, dtype=torch.float64) ** 3
    matrix = with_eigenvalues(values)
    found = list(largest_eigenvalue(lambda v: matrix @ v, random_vector(300)))
    grown = [one.eigenvalue for one in found]
    assert grown == sorted(grown)
    assert grown[-1] <= 125 * (1 + 1e-12)
    for one in found:
        assert np.abs(values.numpy() - one.eigenvalue).min() <= one.residual * (1 + 1e-9)
    assert found[-1].residual <= TOLERANCE * grown[-1]


def test_a_search_that_does_not_end_stops_with_its_residual() -> None:
    """The largest eigenvalue is small beside the others' spread, and they are dense."""
    values = torch.linspace(-1, 0.001, 400, dtype=torch.float64)
    matrix = with_eigenvalues(values)
    found = list(largest_eigenvalue(lambda v: matrix @ v, random_vector(400)))
    assert len(found) == MOST_PRODUCTS
    assert found[-1].residual > TOLERANCE * abs(found[-1].eigenvalue)


def test_begun_at_the_eigenvector_it_needs_fewer_products_for_the_same_answer() -> None:
    matrix = with_eigenvalues(torch.linspace(0, 5, 200, dtype=torch.float64) ** 2)
    vector = torch.linalg.eigh(matrix).eigenvectors[:, -1]
    cold, expected = products_for(matrix, random_vector(200))
    warm, found = products_for(matrix, vector + 0.001 * random_vector(200, 1))
    assert warm < cold / 2
    assert found == pytest.approx(expected, rel=0.02)


def test_of_nothing_but_zeros_it_is_zero() -> None:
    (found,) = largest_eigenvalue(torch.zeros_like, random_vector(30))
    assert (found.eigenvalue, found.residual) == (0.0, 0.0)


def test_of_a_matrix_with_one_direction_it_ends_without_dividing_by_nothing() -> None:
    axis = random_vector(30)
    count, found = products_for(torch.outer(axis, axis), random_vector(30, 1))
    assert count == 2
    assert found == pytest.approx(float(axis @ axis))


def test_where_the_largest_is_zero_it_ends_as_soon_as_no_direction_is_left() -> None:
    axis = random_vector(30)
    count, found = products_for(-torch.outer(axis, axis), random_vector(30, 1))
    assert count == 2
    assert found == pytest.approx(0.0, abs=1e-9)


def test_what_is_not_finite_gives_nan() -> None:
    found = last(largest_eigenvalue(lambda v: v * torch.inf, random_vector(30)))
    assert np.isnan(found.eigenvalue)


# --- networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", Nonlinearity)
def test_it_is_the_largest_eigenvalue_of_the_whole_hessian(nonlinearity, placement, layers) -> None:
    model = a_model(nonlinearity=nonlinearity, bn_placement=placement, hidden_layers=layers)
    images, labels = batch_of()
    eigenvalue, residual = last(sharpness(a_stack(model), images, labels))
    for k, normalization in enumerate(TWINS):
        expected = largest(whole_hessian(model, normalization, images, labels))
        assert eigenvalue[k] == pytest.approx(expected, rel=0.01)
        assert eigenvalue[k] <= expected * (1 + 1e-9)
        assert residual[k] <= TOLERANCE * eigenvalue[k]


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", Nonlinearity)
def test_a_product_is_the_difference_quotient_of_the_gradient_written_out(nonlinearity, placement) -> None:
    """An independent way to the same: nothing of autograd is in it."""
    model = a_model(nonlinearity=nonlinearity, bn_placement=placement)
    images, labels = batch_of()
    stack = a_stack(model)
    for k, normalization in enumerate(TWINS):
        names = taking_part(model, normalization)
        hessian = Hessian(stack, k, images, labels)
        direction, vector = stack.parameters.empty_like(), random_vector(len(hessian))
        parts = [lit(direction.named(k))[name] for name in names]
        for part, value in zip(parts, vector.split([part.numel() for part in parts]), strict=True):
            part.copy_(value.view_as(part))
        ahead, behind = (lit(written_out(stack, direction, step, images, labels).named(k)) for step in (1e-6, -1e-6))
        quotient = torch.cat([(ahead[name] - behind[name]).flatten() for name in names]) / 2e-6
        torch.testing.assert_close(hessian(vector), quotient, rtol=0, atol=1e-7 * float(quotient.norm()))


def written_out(stack: Stack, direction: Parameters, step: float, images: Tensor, labels: Tensor) -> Parameters:
    """The stack's own gradient, a step further."""
    moved = stack.only(range(len(stack)))
    moved.parameters.flat.add_(direction.flat, alpha=step)
    batch, gradient = moved.activations(IMAGES), moved.parameters.empty_like()
    batch.fill(images, labels)
    moved.forward(batch)
    moved.loss(batch)
    moved.backward(batch, Collect(gradient, moved.groups))
    return gradient


def taking_part(model: ModelConfig, normalization: Normalization) -> list[str]:
    """The names of the parameters that have an effect, in the order of `Parameters.named`."""
    hidden, is_bn = range(1, model.hidden_layers + 1), normalization is Normalization.BATCH
    biases = [] if is_bn and model.bn_placement is BnPlacement.BEFORE else [f"bias.{layer}" for layer in hidden]
    weights = [f"weight.{layer}" for layer in (*hidden, model.hidden_layers + 1)]
    scales = [f"{kind}.{layer}" for kind in ("gamma", "beta") for layer in hidden] if is_bn else []
    return [*weights, *biases, f"bias.{model.hidden_layers + 1}", *scales]


def lit(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same without the weights of pixels that are never lit, as views."""
    return named | {"weight.1": named["weight.1"][300 : 300 + LIT]}


@pytest.mark.parametrize("normalization", TWINS)
def test_the_spectrum_is_that_of_the_whole_hessian(normalization) -> None:
    """Every product, not only those on the way to the largest eigenvalue."""
    model = a_model(nonlinearity=Nonlinearity.TANH)
    images, labels = batch_of()
    hessian = Hessian(a_stack(model, [normalization]), 0, images, labels)
    columns = torch.stack([hessian(unit) for unit in torch.eye(len(hessian), dtype=torch.float64)])
    expected = torch.linalg.eigvalsh(whole_hessian(model, normalization, images, labels))
    torch.testing.assert_close(columns, columns.T, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.eigvalsh(columns), expected, rtol=1e-9, atol=1e-10)


def test_bn_is_differentiated_through_its_mean_and_variance() -> None:
    """Were they constants, a weight matrix times two would not have the curvature divided by four."""
    model = a_model(hidden_layers=1)
    images, labels = batch_of()
    stack = a_stack(model, [Normalization.BATCH])
    hessian = Hessian(stack, 0, images, labels)
    first = LIT * model.width
    unit = torch.zeros(len(hessian), dtype=torch.float64)
    unit[:first] = random_vector(first)
    stack.parameters.weights[0].mul_(2)
    halved = Hessian(stack, 0, images, labels)
    assert float(unit @ halved(unit)) == pytest.approx(float(unit @ hessian(unit)) / 4, rel=5e-3)  # but for eps


def test_networks_with_noise_are_measured_without_it() -> None:
    images, labels = batch_of()
    eigenvalue, _ = last(sharpness(a_stack(a_model(groups=2), list(Normalization)), images, labels))
    by_name = dict(zip(Normalization, eigenvalue, strict=True))
    assert by_name[Normalization.NOISY_BATCH] == by_name[Normalization.BATCH]
    assert by_name[Normalization.NOISE] == by_name[Normalization.NONE]


def test_padding_and_pixels_that_are_never_lit_have_no_part_in_it() -> None:
    model = a_model()
    images, labels = batch_of()
    stack = a_stack(model)
    weights = LIT * 10 + 10 * 10 + 10 * 10
    assert len(Hessian(stack, 0, images, labels)) == weights + 10 + 10 + 10
    assert len(Hessian(stack, 1, images, labels)) == weights + 10 + 2 * (10 + 10)
    before = last(sharpness(stack, images, labels))
    for padded, weight in zip(stack.parameters.padded_weights, stack.parameters.weights, strict=True):
        padded[:, :, weight.shape[2] :] = 7
    np.testing.assert_array_equal(last(sharpness(stack, images, labels)), before)


def test_in_single_precision_it_is_the_same(mnist) -> None:
    images, labels = mnist.inputs(InputForm.BINARY, torch.device("cpu"))[0], mnist.labels(torch.device("cpu"))[0]
    model = Settings().model
    found = [
        last(sharpness(a_stack(model, TWINS, dtype), images[:256].to(dtype), labels[:256]))[0]
        for dtype in (torch.float32, torch.float64)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=0.01)


def test_a_network_whose_loss_is_not_finite_has_nan_and_the_others_go_on() -> None:
    images, labels = batch_of()
    stack = a_stack(a_model())
    alone = last(sharpness(stack, images, labels))[0]
    stack.parameters.weights[1][0] = torch.nan
    eigenvalue, residual = last(sharpness(stack, images, labels))
    assert np.isnan([eigenvalue[0], residual[0]]).all()
    assert eigenvalue[1] == alone[1]


def test_it_can_be_measured_where_tensors_have_no_derivatives() -> None:
    images, labels = batch_of()
    stack = a_stack(a_model())
    expected = last(sharpness(stack, images, labels))
    with torch.inference_mode():
        np.testing.assert_array_equal(last(sharpness(stack, images.clone(), labels.clone())), expected)
    with torch.no_grad():
        np.testing.assert_array_equal(last(sharpness(stack, images, labels)), expected)


# --- in training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam", "momentum": 0.9}, {"networks": networks_of(WITH_NOISE)}])
def test_measuring_it_between_steps_never_changes_training(mnist, changes) -> None:
    settings = SMALL.replace(learning_rate=0.01, **changes)
    watched, blind = Trainer(settings, mnist), Trainer(settings, mnist)
    for _ in range(6):
        items = watched.sharpness(replace(settings.hyper, learning_rate=3.0))
        next(items)
        watched.step(settings.hyper)
        blind.step(settings.hyper)
        list(items)
    watched_state, blind_state = watched.checkpoint(), blind.checkpoint()
    for name, value in blind_state.items():
        assert torch.equal(watched_state[name].nan_to_num(), value.nan_to_num()), name


def test_it_is_of_the_weights_at_the_call_whatever_is_trained_meanwhile(mnist) -> None:
    trainer = Trainer(SMALL, mnist)
    expected, items = last(trainer.sharpness()), trainer.sharpness()
    for _ in range(5):
        trainer.step(SMALL.hyper)
        next(items)
    found = last(items)
    assert found.step == 0
    np.testing.assert_array_equal(found.eigenvalue, expected.eigenvalue)
    assert (last(trainer.sharpness()).eigenvalue != expected.eigenvalue).all()


def test_it_is_on_the_first_512_training_images_with_the_learning_rate_in_force(mnist) -> None:
    trainer = Trainer(SMALL, mnist)
    images, labels = mnist.inputs(InputForm.BINARY, torch.device("cpu"))[0], mnist.labels(torch.device("cpu"))[0]
    found = last(trainer.sharpness(replace(SMALL.hyper, learning_rate=0.25)))
    stack = a_stack(SMALL.model, TWINS, torch.float32)
    np.testing.assert_array_equal(found.eigenvalue, last(sharpness(stack, images[:512], labels[:512]))[0])
    np.testing.assert_array_equal(found.learning_rate, [0.25, 0.25])


def test_a_competitor_with_a_rate_of_its_own_is_recorded_with_it(mnist) -> None:
    pair = Trainer(SMALL, mnist).competitors
    trainer = Trainer(SMALL, mnist, [pair[0], replace(pair[1], learning_rate=2.0)])
    np.testing.assert_array_equal(last(trainer.sharpness()).learning_rate, [0.5, 2.0])


def test_a_competitor_that_has_stopped_has_nan(mnist) -> None:
    trainer = Trainer(SMALL, mnist)
    trainer._stack.parameters.flat[0].fill_(torch.nan)
    trainer.step(SMALL.hyper)
    found = last(trainer.sharpness())
    values = np.stack([found.learning_rate, found.eigenvalue, found.residual])
    assert np.isnan(values[:, 0]).all()
    assert np.isfinite(values[:, 1]).all()


def test_where_all_have_stopped_there_is_one_record_of_nan(mnist) -> None:
    trainer = Trainer(SMALL, mnist)
    trainer._stack.parameters.flat.fill_(torch.nan)
    trainer.step(SMALL.hyper)
    assert trainer.is_finished
    (found,) = trainer.sharpness()
    assert np.isnan([found.learning_rate, found.eigenvalue, found.residual]).all()


def test_it_is_measured_at_the_first_steps_every_100_to_2000_and_12_times_a_decade(mnist) -> None:
    trainer, due = Trainer(SMALL, mnist), []
    for step in range(20_001):
        trainer.step_count = step
        if trainer.is_sharpness_due:
            due.append(step)
    assert due[:8] == [0, 1, 2, 5, 10, 20, 24, 29]
    assert {*range(100, 2001, 100)} <= set(due)
    assert len([step for step in due if step <= 2000]) == 48
    assert len([step for step in due if 2000 < step <= 20_000]) == 12


def test_a_run_without_the_app_has_it_where_it_is_asked_for(mnist) -> None:
    run = train(SMALL, 5, mnist=mnist, measures=[Measure.SHARPNESS])
    assert [one.step for one in run.sharpness] == [0, 1, 2, 5]
    assert all(np.isfinite(one.eigenvalue).all() for one in run.sharpness)
    assert not train(SMALL, 1, mnist=mnist).sharpness
