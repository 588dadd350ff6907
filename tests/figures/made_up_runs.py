"""Runs made up for tests: plausible shapes, every number from a seed."""

from collections.abc import Sequence

import numpy as np

from bnviz.config import (
    TWINS,
    AnatomyConfig,
    Competitor,
    Directions,
    LandscapeConfig,
    Settings,
    Statistics,
    UntrainedConfig,
)
from bnviz.records import (
    BAND_LEVELS,
    GRADIENT_BINS,
    NAIVE_STEPS,
    QUANTILE_LEVELS,
    RELATIVE_STEPS,
    SCALES,
    STANDARDISED_EDGES,
    STEP_SIZES,
    STREAM_BATCHES,
    Anatomy,
    Badge,
    Condition,
    Contour,
    Floats,
    Ghost,
    Gradients,
    Health,
    History,
    Intervention,
    Landscape,
    Phase,
    Run,
    Sharpness,
    Shift,
    Smoothness,
    Status,
    Untrained,
    ghost_of,
    kept_units,
    measure_shapes,
)

TRAINING = (Health(), Health())


def a_run(
    points: int = 60,
    layers: int = 3,
    *,
    steps: int = 1500,
    seed: int = 0,
    width: int = 100,
    competitors: Sequence[Competitor] = TWINS,
    stopped_at: int | None = None,
    health: tuple[Health, ...] = TRAINING,
    interventions: tuple[Intervention, ...] = (),
    has_gradients: bool = True,
    has_contour: bool = True,
    has_ghost: bool = False,
    has_shift: bool = False,
    has_untrained: bool = False,
    has_landscape: bool = False,
    has_anatomy: bool = False,
    badge: Badge = Badge.MEASURED,
) -> Run:
    """A run of the twins; from point `stopped_at` on the first competitor has NaN, as after a divergence."""
    history = a_history(points, layers, steps=steps, seed=seed, width=width, competitors=competitors)
    if stopped_at is not None:
        history = stop(history, 0, stopped_at)
    step = int(history.step[-1]) if points else 0
    return Run(
        run_id="test",
        settings=Settings().replace(hidden_layers=layers, width=width),
        status=Status(Phase.PAUSED, 0, step, 0.0, "CPU", health),
        history=history,
        interventions=interventions,
        gradients=_gradients_over_steps(history, layers, seed) if has_gradients else (),
        shift=tuple(shift(int(one), layers, seed, len(competitors)) for one in _every(history, 2) if has_shift),
        smoothness=tuple(smoothness(int(one), seed, len(competitors)) for one in _every(history, 4) if has_shift),
        study=untrained() if has_untrained else None,
        sharpness=tuple(sharpness(int(one), seed, len(competitors)) for one in _every(history, 3) if has_shift),
        contour=contour(step, competitors=len(competitors)) if has_contour else None,
        landscape=landscape(step, competitors=len(competitors)) if has_landscape else None,
        anatomy=anatomy(step) if has_anatomy else None,
        ghost=a_ghost(points, layers, steps, seed) if has_ghost else None,
        badge=badge,
    )


def a_history(
    points: int,
    layers: int,
    *,
    steps: int = 1500,
    seed: int = 0,
    width: int = 100,
    competitors: Sequence[Competitor] = TWINS,
    rate: float = 1.0,
) -> History:
    """Measures that rise and fall as in training, the second competitor faster than the first."""
    rng = np.random.default_rng(seed)
    units, k = kept_units(layers, width), len(competitors)
    shapes = measure_shapes(k, layers, units.shape[1])
    arrays = {name: np.zeros((points, *shape), np.float32) for name, shape in shapes.items()}
    step = np.unique(np.linspace(0, steps, points).round()) if points > 1 else np.zeros(points)
    arrays = {name: array[: len(step)] for name, array in arrays.items()}
    arrays |= {"step": step, "images": 60 * step, "is_scheduled": np.ones(len(step), bool)}
    speed = rate * np.array([1 / 300, 1 / 40, 1 / 100, 1 / 70])[:k]
    done = 1 - np.exp(-step[:, None] * speed)  # [m, k]
    noise = rng.normal(0, 0.008, done.shape) * np.sqrt(done)
    arrays["compute_seconds"] = step[:, None] * np.linspace(0.5e-3, 0.9e-3, k)
    arrays["accuracy"] = np.float32(np.clip(0.1 + 0.83 * done + noise, 0, 1))
    arrays["train_accuracy"] = np.float32(np.clip(arrays["accuracy"] + 0.01, 0, 1))
    arrays["batch_accuracy"] = arrays["accuracy"] + np.float32(0.005 if k > 2 else np.nan)
    arrays["loss"] = np.float32((2.3 * np.exp(-2.4 * done)) * np.exp(4 * noise))
    depth = np.linspace(1, 1.6, layers) if layers > 1 else np.ones(1)
    far = done[:, :, None] * depth * np.linspace(2.0, 0.5, k)[None, :, None]
    for name, factor in (
        ("net_displacement", 1.0), ("path_length", 2.5),
        ("standardised_net_displacement", 0.8), ("standardised_path_length", 2.0),
    ):  # fmt: skip
        arrays[name] = np.float32(factor * far)
    centre, width_now = -far, (0.5 + 1.2 * done)[:, :, None] * np.ones(layers)
    normal = _normal_quantiles(QUANTILE_LEVELS)
    arrays["quantiles"] = np.float32(centre[..., None] + width_now[..., None] * normal)
    offsets = rng.normal(0, 0.3, (1, 1, layers, units.shape[1]))
    band = _normal_quantiles(np.array(BAND_LEVELS))
    arrays["bands"] = np.float32((centre[..., None] + offsets)[..., None] + width_now[..., None, None] * band)
    arrays["saturated"] = np.float32(np.clip(0.4 * far / depth.max(), 0, 1))
    arrays["update_ratio"] = np.float32(
        0.02 * np.exp(-done)[:, :, None] * np.linspace(1, 2.5, layers + 1) * np.linspace(1, 0.5, k)[None, :, None]
    )
    if len(step):
        arrays["loss"][0] = arrays["train_accuracy"][0] = arrays["update_ratio"][0] = (
            np.nan
        )  # nothing has been stepped yet
    return History(tuple(competitors), units, **arrays)


def _normal_quantiles(levels: Floats) -> Floats:
    """Quantiles of the standard normal, its ends at ±4, by the inverse of a fine table."""
    grid = np.linspace(-4, 4, 4001)
    mass = np.cumsum(np.exp(-(grid**2) / 2))
    return np.interp(levels, (mass - mass[0]) / (mass[-1] - mass[0]), grid)


def stop(history: History, k: int, point: int) -> History:
    """The same history with NaN for one competitor from a point on."""
    changed = {}
    for name in measure_shapes(1, 1, 1):
        array = getattr(history, name).copy()
        if array.ndim > 1 and name != "compute_seconds":
            array[point:, k] = np.nan
        changed[name] = array
    return History(history.competitors, history.units, **changed)


def diverged(step: int, layer: int | None = 2, what: str = "weights") -> Health:
    return Health(Condition.DIVERGED, step, layer, what)


def stalled(step: int) -> Health:
    return Health(Condition.STALLED, step)


def a_ghost(points: int, layers: int, steps: int, seed: int = 0, label: str = "earlier run, lr 0.1") -> Ghost:
    return ghost_of(a_history(max(points, 60), layers, steps=max(steps, 51), seed=seed + 9, rate=0.3), label)


def _every(history: History, stride: int) -> Floats:
    """Steps at which something else than the points was measured."""
    return history.step[::stride]


def _gradients_over_steps(history: History, layers: int, seed: int) -> tuple[Gradients, ...]:
    steps = sorted(
        {0, *(int(step) for step in history.step[:: max(1, len(history) // 6)]), *map(int, history.step[-1:])}
    )
    count = len(history.competitors)
    return tuple(gradients(step, layers, seed + number, count) for number, step in enumerate(steps))


def shift(step: int, layers: int, seed: int = 0, competitors: int = 2) -> Shift:
    """Larger with BN at first, smaller later; layer 1 has nothing below it."""
    rng = np.random.default_rng((seed, step))
    shape = (competitors, layers + 1)
    scatter = rng.lognormal(0, 0.3, shape)
    first = np.linspace(0.2, 1.0, competitors)[:, None] * np.exp(-step / 400) + 0.05
    relative = np.broadcast_to(first, shape) * scatter
    relative[:, 0] = 0
    change = relative * np.array([0.02, 0.1, 0.06, 0.04])[:competitors, None]
    cosine = 1 / np.sqrt(1 + relative**2)
    return Shift(step, change, relative, cosine)


def smoothness(step: int, seed: int = 0, competitors: int = 2) -> Smoothness:
    rng = np.random.default_rng((seed, step, 1))
    steps = np.array(STEP_SIZES)
    rate = np.full(competitors, 0.1)
    roughness = np.array([1.0, 0.3, 0.4, 1.2])[:competitors, None] * rng.lognormal(0, 0.2, (competitors, 1))
    loss = np.linspace(0.5, 0.3, competitors)
    gradient_change = roughness * steps * 1.5
    return Smoothness(
        step=step,
        learning_rate=rate,
        loss=loss,
        loss_along=loss[:, None] + roughness * (0.1 * steps**2 - 0.1 * steps),
        gradient_change=gradient_change,
        beta=gradient_change / (steps * rate[:, None] * 1.2),
    )


def sharpness(step: int, seed: int = 0, competitors: int = 2) -> Sharpness:
    """Falling from above 2 / learning rate = 4 to below it."""
    rng = np.random.default_rng((seed, step, 2))
    flat = np.array([2.4, 1.2, 1.5, 2.0])[:competitors] * (1 + 1.5 * np.exp(-step / 100))
    eigenvalue = flat * rng.lognormal(0, 0.1, competitors)
    return Sharpness(step, np.full(competitors, 0.5), eigenvalue, 0.01 * eigenvalue)


def untrained(
    config: UntrainedConfig | None = None, *, done: float = 1.0, overflow_layer: int = 0, seed: int = 0
) -> Untrained:
    """Of two networks; with `overflow_layer` the one without BN is not finite from that layer on."""
    config = config or UntrainedConfig()
    rng = np.random.default_rng(seed)
    l, w = config.depth, config.depth + 1  # noqa: E741
    depth = np.arange(1, l + 1)
    mean, std = np.zeros((2, l)), np.stack([0.8 * 1.02**depth, np.full(l, 0.58)])
    share = np.stack([0.2 + 0.7 * depth / (l + 5), np.full(l, 0.3)])
    norm = np.stack([0.3 + 0.01 * np.arange(w), 0.5 * 1.2 ** (l - np.arange(w))])
    layers = np.unique(np.linspace(2, l, min(l - 1, 12)).round().astype(int)) if l > 1 else np.zeros(0, int)
    levels = np.array([0.01, 0.1, 0.5, 1.0, 1.4, 1.8, 2.2])
    singular = np.stack([np.tile(levels, (len(layers), 1)), np.tile(1.3 * levels, (len(layers), 1))])
    singular *= rng.lognormal(0, 0.05, singular.shape)
    relative = np.stack([1 + 0.1 * RELATIVE_STEPS**2.0, 1 + 0.3 * RELATIVE_STEPS**0.5])
    grown = gradients(0, l, seed)
    if overflow_layer:
        mean[0, overflow_layer - 1 :] = std[0, overflow_layer - 1 :] = share[0, overflow_layer - 1 :] = np.nan
        norm[0], singular[0], relative[0] = np.nan, np.nan, np.inf
        nothing = np.full_like(grown.std[0], np.nan)
        for name in ("std", "excess_kurtosis", "tail_ratio", "norm", "radial"):
            getattr(grown, name)[0] = nothing
        grown.counts[0] = grown.standardised_counts[0] = 0
    return Untrained(
        config=config,
        done=done,
        overflow_layer=np.array([overflow_layer, 0]),
        activation_mean=mean + 0.3,
        activation_std=std,
        top_class_share=share,
        gradient_norm=norm,
        gradients=grown,
        loss=np.array([np.nan if overflow_layer else 2.4, 2.5]),
        jacobian_layers=layers,
        singular_values=singular,
        relative_loss=relative,
    )


def gradients(step: int, layers: int, seed: int = 0, competitors: int = 2) -> Gradients:
    rng = np.random.default_rng(seed)
    weights, spread = layers + 1, np.array([0.004, 0.007, 0.005, 0.006])[:competitors]
    samples = rng.standard_t(6, (competitors, weights, 10_000)) * spread[:, None, None]
    reach = np.abs(samples).max(axis=(0, 2))
    edges = np.stack([np.linspace(-r, r, GRADIENT_BINS + 1) for r in reach]).astype(np.float32)
    std = samples.std(axis=2)
    standardised = np.clip(samples / std[..., None], -12.1, 12.1)
    return Gradients(
        step=step,
        edges=edges,
        counts=_histograms(samples, edges),
        standardised_counts=_histograms(standardised, np.tile(STANDARDISED_EDGES, (weights, 1))),
        std=std,
        excess_kurtosis=(samples**4).mean(2) / std**4 - 3,
        tail_ratio=np.quantile(np.abs(samples), 0.999, axis=2) / np.quantile(np.abs(samples), 0.5, axis=2),
        norm=np.sqrt((samples**2).sum(axis=2)),
        weight_norm=np.full((competitors, weights), 10.0) + step / 500,
        radial=np.array([0.1, 1e-7, 0.01, 0.12])[:competitors, None] * np.ones(weights),
    )


def _histograms(samples: Floats, edges: Floats) -> Floats:
    return np.array(
        [[np.histogram(one, edges[w])[0] for w, one in enumerate(each)] for each in samples], np.float32
    )  # fmt: skip


def contour(step: int, side: int = 21, competitors: int = 2) -> Contour:
    alpha = np.linspace(-1, 1, side).astype(np.float32)
    a, b = np.meshgrid(alpha, alpha)
    bowls = [0.15 + 3 * (a + 0.1) ** 2 + 2 * b**2, 0.2 + 4 * (a - 0.3 * b) ** 2 + b**2, 0.3 + a**2 + b**2]
    bowls.append(0.25 + 2 * (a - 0.1) ** 2 + 2 * b**2)
    walk = np.linspace(1, 0, 12)
    starts = np.array([[-0.7, -0.15], [-0.35, 0.5], [0.4, 0.4], [0.6, -0.3]])
    path = walk[None, :, None] * starts[:, None, :] + np.sin(3 * walk)[None, :, None] * 0.05 * walk[None, :, None]
    return Contour(
        step=step,
        directions=Directions.PATHS,
        images=512,
        alpha=alpha,
        beta=alpha.copy(),
        loss=np.float32(bowls[:competitors]),
        path_steps=np.linspace(0, step, len(walk)),
        path=path[:competitors],
        share=np.array([0.9, 0.88, 0.7, 0.8])[:competitors],
    )


FINE = LandscapeConfig(resolution=41, batches=4)


def landscape(step: int, config: LandscapeConfig | None = None, *, competitors: int = 2, seed: int = 0) -> Landscape:
    """Bowls around (0, 0) that differ a little from batch to batch, on a plane of this configuration."""
    config = config or FINE
    rng = np.random.default_rng(seed)
    k, s, reach = competitors, config.batches, config.span
    alpha = beta = np.linspace(-reach, reach, config.resolution)
    a, b = np.meshgrid(alpha, beta)
    bowls = np.array([
        0.15 + 3 * (a + 0.1) ** 2 + 2 * b**2, 0.2 + 4 * (a - 0.3 * b) ** 2 + b**2,
        0.3 + a**2 + b**2, 0.25 + 2 * a**2 + 3 * b**2,
    ])[:k]  # fmt: skip
    slopes = rng.normal(0, 0.1, (2, k, s, 1, 1))
    loss = bowls[:, None] * np.exp(slopes[0] * a + slopes[1] * b + rng.normal(0, 0.05, (k, s, 1, 1)))
    walk = np.linspace(1, 0, 12)
    starts = reach * np.array([[-0.7, -0.15], [-0.35, 0.5], [0.4, 0.4], [0.2, -0.6]])
    path = walk[None, :, None] * starts[:, None, :] + np.sin(3 * walk)[None, :, None] * 0.05 * walk[None, :, None]
    along = np.linspace(-0.25, 1.25, 61)
    falling = 0.1 + 2.2 * (1 - np.minimum(along, 1)) ** 2
    bumpy = falling + 0.8 * np.exp(-(((along - 0.5) / 0.1) ** 2))
    barrier = 0.2 + 1.5 * np.exp(-(((along - 0.5) / 0.2) ** 2))
    cuts = np.array([[falling, bumpy, falling, bumpy][:k], [barrier] * k])
    is_points = config.directions is Directions.POINTS
    return Landscape(
        step=step,
        config=config,
        directions=config.directions,
        statistics=Statistics.BATCH if config.statistics is Statistics.BATCH else Statistics.RUNNING,
        done=1.0,
        images=config.images,
        alpha=alpha,
        beta=beta,
        loss=loss,
        path_steps=np.linspace(0, step, len(walk)),
        path=path[:k],
        share=np.array([0.9, 0.88, 0.7, 0.6])[:k],
        points=np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]) if is_points else np.full((3, 2), np.nan),
        zero_units=np.zeros(k, np.int64),
        cut_alpha=along,
        cut_loss=cuts[:, :, None] * np.exp(0.05 * np.arange(s))[:, None],
    )


def anatomy(step: int, config: AnatomyConfig | None = None, *, seed: int = 0, is_before: bool = True) -> Anatomy:
    """A batch of normal values through a real BN, with what else is measured in a plausible shape."""
    config, rng = config or AnatomyConfig(), np.random.default_rng(seed)
    b, u, eps = config.images, 16, 1e-5
    x = rng.normal(rng.normal(size=u), rng.uniform(0.5, 3, size=u), size=(b, u))
    mean, variance = x.mean(axis=0), x.var(axis=0)
    gamma, beta = rng.normal(1, 0.2, u), rng.normal(0, 0.3, u)
    centred, inverse = x - mean, 1 / np.sqrt(variance + eps)
    normalized = centred * inverse
    y = gamma * normalized + beta
    output = 1 / (1 + np.exp(-y)) if is_before else y
    values = np.stack([x if is_before else np.log(np.abs(x) + 1), x, centred, normalized, y, output])
    d_output = rng.normal(0, 1e-3, size=(b, u))
    d_y = d_output * (output * (1 - output) if is_before else 1)
    d_normalized = d_y * gamma
    d_variance = (d_normalized * centred).sum(axis=0) * -0.5 * inverse**3
    d_mean = -(d_normalized * inverse).sum(axis=0)
    d_x = d_normalized * inverse + d_variance * 2 * centred / b + d_mean / b
    gradients_ = np.stack([d_output, d_y, d_normalized, d_x])
    stream_mean = mean + rng.normal(0, 0.2, size=(STREAM_BATCHES, u))
    stream_variance = variance * rng.uniform(0.7, 1.3, size=(STREAM_BATCHES, u))
    weights = 0.9 ** np.arange(STREAM_BATCHES + 1)[:, None]
    steps = np.arange(NAIVE_STEPS + 1)[:, None] * rng.normal(0, 0.05, u)
    return Anatomy(
        config, step, "bn", config.layer, is_before, eps, 1.0, "",
        labels=rng.integers(0, 10, b), units=np.arange(u), values=values, mean=mean, variance=variance,
        gamma=gamma, beta=beta, gradients=gradients_, d_mean=d_mean, d_variance=d_variance,
        d_gamma=(d_y * normalized).sum(axis=0), d_beta=d_y.sum(axis=0),
        layer_values=np.quantile(values.reshape(6, -1), QUANTILE_LEVELS, axis=1).T,
        layer_gradients=np.quantile(gradients_.reshape(4, -1), QUANTILE_LEVELS, axis=1).T,
        differences=np.array([1e-7, 2e-7, 1e-7, 0, 0, 1e-7]),
        scale_loss=np.stack([np.full(21, 0.4), 0.4 + np.log(SCALES) ** 2]),
        scale_output=np.stack([np.full(21, 1e-5), np.abs(SCALES - 1)]),
        scale_gradient=np.stack([1 / SCALES, np.ones(21)]),
        naive_bias=np.stack([steps, np.zeros_like(steps)]), naive_loss=np.full((2, NAIVE_STEPS + 1), 0.4),
        naive_rate=0.1, stream_mean=stream_mean, stream_variance=stream_variance,
        running_mean=mean * (1 - weights), running_variance=variance + (1 - variance) * weights,
        population_mean=mean, population_variance=variance, population_images=10_000,
        accuracy=np.array([0.94, 0.93, 0.941]), folded_difference=2e-7,
        folded_scale=gamma * inverse, folded_shift=beta - gamma * mean * inverse,
    )  # fmt: skip
