"""The linear unit against quadratics that are solved by hand, brute force, and the figures of SCIENCE, section 5."""

import warnings
from functools import cache
from typing import Any, Final

import numpy as np
import pytest
import torch

from bnviz import data
from bnviz.config import LinearUnitConfig, PixelForm, RateRule, Treatment, Whitening
from bnviz.measure import linear_unit as unit
from bnviz.measure import spectrum as spectra
from bnviz.measure.linear_unit import measure_linear_unit
from bnviz.records import MOST_SGD_STEPS, TREATMENTS, Floats, LinearUnit

RAW, CENTRED, SCALED, STANDARDISED, WHITENED = range(5)
MANY: Final = {"samples": 1000, "mean_1": 30.0, "mean_2": 2.0, "std_1": 10.0, "std_2": 1.0}
PIXELS: Final = torch.from_numpy(
    np.random.default_rng(0).integers(0, 256, (600, 12)) * np.array([1] * 9 + [0] * 2 + [1])
).to(torch.uint8)  # two pixels are always 0


@cache
def whole(**changes: Any) -> LinearUnit:
    *_, last = measure_linear_unit(LinearUnitConfig(**changes), PIXELS, 127)
    return last


def brute_force(record: LinearUnit, treatment: int, steps: int) -> Floats:
    """Gradient descent as its definition says: the gradient of ½ mean (x·d)², step by step. [steps + 1, 2]"""
    x, place = record.inputs[treatment], np.array(record.config.start)
    path = [place]
    for _ in range(steps):
        place = place - record.rate[treatment] * (x * (x @ place)[:, None]).mean(axis=0)
        path.append(place)
    return np.array(path)


# --- treatments -------------------------------------------------------------------------------------------------------


def test_the_treatments_are_in_the_order_of_their_names() -> None:
    assert TREATMENTS[RAW] is Treatment.RAW
    assert TREATMENTS[WHITENED] is Treatment.WHITENED


@pytest.mark.parametrize("whitening", Whitening)
def test_whitening_makes_the_covariance_the_identity(whitening: Whitening) -> None:
    inputs = whole(whitening=whitening).inputs[WHITENED]
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(inputs.T, bias=True), np.eye(2), atol=1e-10)


def test_zca_is_symmetric_and_the_inverse_square_root_of_the_covariance() -> None:
    covariance = np.array([[100.0, 9.0], [9.0, 1.0]])
    matrix = unit.whitening_matrix(covariance, Whitening.ZCA)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    np.testing.assert_allclose(np.linalg.inv(matrix @ matrix), covariance, rtol=1e-9)


def test_pca_whitening_puts_the_axis_of_most_variance_first_and_is_a_turned_zca() -> None:
    covariance = np.array([[1.0, 0.9], [0.9, 1.0]])
    pca, zca = (unit.whitening_matrix(covariance, kind) for kind in (Whitening.PCA, Whitening.ZCA))
    assert abs(pca[0] @ np.array([1, 1])) == pytest.approx(2 / np.sqrt(2 * 1.9))
    assert pca[0] @ np.array([1, -1]) == pytest.approx(0, abs=1e-12)
    turn = pca @ np.linalg.inv(zca)
    np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-12)


def test_standardising_leaves_the_correlation_as_it_is() -> None:
    record = whole(correlation=0.9)
    raw, standardised = (np.corrcoef(record.inputs[t].T)[0, 1] for t in (RAW, STANDARDISED))
    assert standardised == pytest.approx(raw, abs=1e-12)
    np.testing.assert_allclose(record.hessian[STANDARDISED], [[1, raw], [raw, 1]], atol=1e-12)


@pytest.mark.parametrize(
    ("rho", "expected"), [(0.0, {RAW: 719, CENTRED: 100, STANDARDISED: 1}), (0.9, {STANDARDISED: 19})]
)
def test_condition_numbers_are_those_of_the_literature(rho: float, expected: dict[int, float]) -> None:
    for seed in range(5):
        found = whole(correlation=rho, seed=seed, **MANY).condition_number
        for treatment, condition in expected.items():
            assert found[treatment] == pytest.approx(condition, rel=0.2)
        assert found[WHITENED] == pytest.approx(1, abs=1e-9)


def test_the_condition_number_of_standardised_inputs_is_that_of_their_correlation() -> None:
    record = whole(correlation=-0.7)
    r = abs(np.corrcoef(record.inputs[RAW].T)[0, 1])
    assert record.condition_number[STANDARDISED] == pytest.approx((1 + r) / (1 - r))


def test_hessians_are_second_moments_and_their_eigenvalues_numpys() -> None:
    record = whole()
    for t, inputs in enumerate(record.inputs):
        hessian = sum(np.outer(x, x) for x in inputs) / len(inputs)
        np.testing.assert_allclose(record.hessian[t], hessian, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(record.eigenvalues[t], np.linalg.eigvalsh(hessian)[::-1], rtol=1e-8)
        np.testing.assert_allclose(
            hessian @ record.eigenvectors[t], record.eigenvectors[t] * record.eigenvalues[t], rtol=1e-6, atol=1e-6
        )


# --- gradient descent -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RateRule)
def test_the_path_is_that_of_stepping_along_the_gradient(rule: RateRule) -> None:
    record = whole(rate_rule=rule)
    for t in range(len(TREATMENTS)):
        np.testing.assert_allclose(record.gd_path[t], brute_force(record, t, 100), atol=1e-9)


def test_a_quadratic_solved_by_hand_has_the_path_and_the_loss_that_it_must() -> None:
    eigenvalues, vectors, start = np.array([4.0, 1.0]), np.eye(2), np.array([1.0, 2.0])
    path = unit.gradient_descent(eigenvalues, vectors, 0.25, start, 3)  # the first weight is there after one step
    np.testing.assert_allclose(path, [[1, 2], [0, 1.5], [0, 1.125], [0, 0.84375]])
    losses = unit.relative_losses(np.diag(eigenvalues), path)
    np.testing.assert_allclose(losses, [1, 2.25 / 8, 1.265625 / 8, 0.84375**2 / 8])


@pytest.mark.parametrize("rule", RateRule)
def test_steps_to_the_target_are_those_of_brute_force(rule: RateRule) -> None:
    for target in (0.1, 1e-3):
        record = whole(rate_rule=rule, target=target, correlation=0.6, std_1=3.0, mean_1=5.0, learning_rate=0.03)
        for t in range(len(TREATMENTS)):
            path = brute_force(record, t, 3000)
            loss = unit.relative_losses(record.hessian[t], path)
            assert record.gd_steps[t] == np.argmax(loss <= target), TREATMENTS[t]
            assert 0 < record.gd_steps[t] < 3000


def test_steps_are_counted_without_being_taken() -> None:
    steps = unit.steps_to_target(np.array([1.0, 1e-9]), np.array([0.0, 1.0]), 1.0, np.exp(-2))
    assert steps == pytest.approx(1e9, rel=1e-6)


def test_the_limit_is_two_over_the_largest_eigenvalue() -> None:
    for treatment in range(len(TREATMENTS)):
        within, beyond = whole(rate_multiple=0.999), whole(rate_multiple=1.001)
        assert within.rate[treatment] == pytest.approx(0.999 * 2 / within.eigenvalues[treatment, 0])
        assert not within.is_diverging[treatment]
        assert np.isfinite(within.gd_steps[treatment])
        assert beyond.is_diverging[treatment]
        assert np.isinf(beyond.gd_steps[treatment])
        near, far = brute_force(within, treatment, 5000), brute_force(beyond, treatment, 5000)
        steep = within.eigenvectors[treatment, :, 0]
        assert abs(near[-1] @ steep) < 1e-3
        assert abs(far[-1] @ steep) > 1e3


def test_exactly_at_the_limit_gradient_descent_neither_arrives_nor_diverges() -> None:
    record = whole(rate_multiple=1.0)
    assert not record.is_diverging.any()
    assert np.isinf(record.gd_steps).all()
    assert (record.gd_loss[:, -1] < 1.01).all()


def test_a_target_reached_on_the_way_to_divergence_counts() -> None:
    shares = np.array([1e-9, 1.0])  # of the start along the eigenvectors: hardly anything along the steep one
    steps = unit.steps_to_target(np.array([1.0, 0.5]), shares, 2.1, 0.1)
    factors = np.abs(1 - 2.1 * np.array([1.0, 0.5]))
    losses = [sum(np.array([1.0, 0.5]) * shares**2 * factors ** (2 * n)) / 0.5 for n in range(2000)]
    assert steps == next(n for n, loss in enumerate(losses) if loss <= 0.1)
    assert losses[-1] > 1
    assert unit.steps_to_target(np.array([1.0, 0.9]), np.array([0.5, 1.0]), 2.1, 1e-4) == np.inf


def test_gradient_descent_zigzags_across_the_valley_above_half_the_limit_and_not_below() -> None:
    for multiple, flips in ((0.45, 0), (0.55, 8)):
        record = whole(rate_multiple=multiple)
        across = record.gd_path[RAW, :9] @ record.eigenvectors[RAW, :, 0]
        assert (across[1:] * across[:-1] < 0).sum() == flips


def test_the_best_rate_contracts_by_the_textbooks_factor_from_the_worst_start() -> None:
    record = whole(rate_rule=RateRule.BEST)
    for t, condition in enumerate(record.condition_number):
        both = np.abs(1 - record.rate[t] * record.eigenvalues[t])
        np.testing.assert_allclose(both, (condition - 1) / (condition + 1), atol=1e-9)
    assert record.gd_steps[WHITENED] == 1


def test_one_shared_rate_is_the_same_for_all_and_too_large_for_the_raw_inputs_alone() -> None:
    record = whole(rate_rule=RateRule.SHARED, learning_rate=0.01)
    assert (record.rate == 0.01).all()
    assert record.is_diverging.tolist() == [True, False, False, False, False]


def test_divergence_ends_in_infinities_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record = whole(rate_rule=RateRule.SHARED, learning_rate=5.0, mean_1=100.0, mean_2=-100.0, steps=500)
    assert np.isinf(record.gd_loss[RAW, -1])
    assert np.isinf(record.sgd_loss[RAW, -1])
    assert np.isnan(record.gd_path[RAW, -1]).all()
    assert not np.isnan(record.gd_loss).any()
    assert record.is_sgd_diverging[RAW]
    assert np.isinf(record.sgd_steps[RAW])


# --- SGD and signs ----------------------------------------------------------------------------------------------------


def test_sgd_on_the_whole_sample_is_gradient_descent() -> None:
    record = whole(batch_size=100, samples=100)
    np.testing.assert_allclose(record.sgd_path, record.gd_path, atol=1e-9)
    assert record.sgd_steps.tolist() == record.gd_steps.tolist()


def test_sgd_steps_along_the_gradients_of_its_mini_batches() -> None:
    record = whole(batch_size=7, samples=100)
    order = np.random.default_rng((0, 1))
    indices = np.concatenate([order.permutation(100)[:98].reshape(14, 7) for _ in range(3)])
    for t in range(len(TREATMENTS)):
        place = np.array(record.config.start)
        for step, batch in enumerate(indices):
            np.testing.assert_allclose(record.sgd_path[t, step], place, rtol=1e-6, atol=1e-9)
            x = record.inputs[t, batch]
            place = place - record.rate[t] * (x * (x @ place)[:, None]).mean(axis=0)


def test_sgd_counts_the_first_step_at_the_target_beyond_what_is_drawn() -> None:
    short, long = whole(steps=10, correlation=0.5), whole(steps=500, correlation=0.5)
    np.testing.assert_array_equal(short.sgd_steps, long.sgd_steps)
    first = np.argmax(long.sgd_loss[STANDARDISED] <= 1e-4)
    assert 10 < long.sgd_steps[STANDARDISED] == first
    assert short.sgd_path.shape == (5, 11, 2)


def test_what_sgd_does_not_reach_is_not_known() -> None:
    record = whole(rate_rule=RateRule.SHARED, learning_rate=1e-5)
    assert np.isnan(record.sgd_steps[WHITENED])
    assert record.gd_steps[WHITENED] > MOST_SGD_STEPS


def test_small_batches_diverge_at_rates_at_which_the_whole_sample_does_not() -> None:
    record = whole(batch_size=1, rate_multiple=0.9)
    assert not record.is_diverging.any()
    assert record.is_sgd_diverging[WHITENED]


def test_all_positive_inputs_force_same_sign_updates() -> None:
    record = whole(mean_1=50.0, mean_2=50.0, std_1=5.0, std_2=5.0, batch_size=1, correlation=0.0)
    assert (record.inputs[RAW] > 0).all()
    assert record.same_sign_samples[RAW] == 1
    assert record.same_sign_updates[RAW] == 1
    assert record.same_sign_samples[STANDARDISED] == pytest.approx(0.5, abs=0.1)


def test_the_share_of_same_signs_is_that_of_single_gradients_anywhere() -> None:
    record = whole(mean_2=0.5)
    for place in np.random.default_rng(0).normal(size=(3, 2)):
        for t, x in enumerate(record.inputs):
            gradients = x * (x @ place)[:, None]
            same = (np.sign(gradients[:, 0]) == np.sign(gradients[:, 1])).mean()
            assert record.same_sign_samples[t] == pytest.approx(same)


# --- the record over time ---------------------------------------------------------------------------------------------


def test_the_record_fills_up_and_what_was_given_never_changes() -> None:
    spectra.spectrum_of.cache_clear()
    items = list(measure_linear_unit(LinearUnitConfig(correlation=0.99), PIXELS, 127))
    done = [item.done for item in items]
    assert done == sorted(done)
    assert done[-1] == 1
    assert all(one < 1 for one in done[:-1])
    assert np.isnan(items[0].sgd_steps[RAW])
    assert np.isnan(items[0].spectrum.eigenvalues).all()
    for item in items:
        np.testing.assert_array_equal(item.sgd_path, items[-1].sgd_path)
    assert np.isfinite(items[-1].spectrum.eigenvalues).all()


def test_the_same_settings_give_the_same_record() -> None:
    (*_, one), (*_, other) = (measure_linear_unit(LinearUnitConfig(seed=3), PIXELS, 127) for _ in range(2))
    for name in ("inputs", "gd_path", "sgd_path", "sgd_steps"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.spectrum is other.spectrum


# --- the spectrum -----------------------------------------------------------------------------------------------------


def reference(form: PixelForm) -> dict[int, Floats]:
    """Eigenvalues by numpy, treatment by treatment, of the images themselves."""
    x = PIXELS.numpy().astype(np.float64) / 255
    if form is PixelForm.BINARY:
        x = (PIXELS.numpy() > 127).astype(np.float64)
    varying = x.std(axis=0) > 0
    centred, scale = x - x.mean(axis=0), x.std(axis=0)[varying]
    treated = {
        RAW: x,
        CENTRED: centred,
        SCALED: x[:, varying] / scale,
        STANDARDISED: centred[:, varying] / scale,
    }
    return {t: np.linalg.eigvalsh(one.T @ one / len(one))[::-1] for t, one in treated.items()}


@pytest.mark.parametrize("form", PixelForm)
def test_the_spectrum_is_numpys(form: PixelForm) -> None:
    spectrum = whole(pixel_form=form).spectrum
    assert spectrum.varying_pixels == 10
    for t, expected in reference(form).items():
        np.testing.assert_allclose(spectrum.eigenvalues[t, :10], expected[:10], rtol=1e-9)
        np.testing.assert_allclose(spectrum.eigenvalues[t, 10:], 0, atol=1e-12)
        assert spectrum.rank[t] == 10
        assert spectrum.condition_number[t] == pytest.approx(expected[0] / expected[9])
        assert spectrum.largest_rate[t] == pytest.approx(2 / expected[0])
    np.testing.assert_array_equal(spectrum.eigenvalues[WHITENED], [1.0] * 10 + [0.0] * 2)
    assert spectrum.condition_number[WHITENED] == 1


@pytest.mark.slow
def test_717_pixels_of_the_training_images_are_ever_lit_and_treatments_better_mnists_condition() -> None:
    train_pixels = data.load().train_images
    *_, last = measure_linear_unit(LinearUnitConfig(pixel_form=PixelForm.RAW), train_pixels, 127)
    spectrum = last.spectrum
    assert spectrum.varying_pixels == 717
    raw, centred, _, standardised, whitened = spectrum.condition_number
    assert raw > centred > standardised > whitened == 1
    # The trace of a correlation matrix, and of a second moment, is known without any eigenvalue.
    assert spectrum.eigenvalues[STANDARDISED].sum() == pytest.approx(717)
    assert spectrum.eigenvalues[RAW].sum() == pytest.approx(
        float((train_pixels.double() / 255).square().sum() / len(train_pixels))
    )
