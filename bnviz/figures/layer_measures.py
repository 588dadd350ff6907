"""Layer measures: gradient norm, update ratio, weight norm and scale invariance of every layer."""

from typing import Any, Final

import numpy as np

from bnviz.config import BnPlacement, View
from bnviz.figures.gradient_bins import size
from bnviz.figures.layer_series import Series, layer_series
from bnviz.figures.numbers import MINUS, NO_BREAK, whole
from bnviz.figures.theme import Spec
from bnviz.figures.words import enumerate_texts, first_finite, last_finite
from bnviz.records import Floats, Run

RULE_OF_THUMB: Final = 1e-3  # of updates, relative to the weights
RADIAL_FLOOR: Final = 1e-8  # float32 and eps leave about 1e-7 of what is exactly 0
HOW: Final = "on 128 held-out images, with the statistics of that batch."


def gradient_norm(run: Run, view: View) -> Spec:
    """Norm of the gradient of every layer's weights."""
    series = _of_gradients(run, "norm", "gradient-norm", "Gradient norm", "‖∂L/∂W‖ of a layer’s weights, ")
    return layer_series(run, view, series, _norm_finding)


def update_ratio(run: Run, view: View) -> Spec:
    """Size of the last update of every layer's weights, relative to the weights."""
    series = Series(
        "update-ratio",
        "Update ÷ weight, per step",
        "‖ΔW‖ ÷ ‖W‖ of a layer’s weights, of the step before each point.",
        run.history.step,
        run.history.update_ratio,
        reference=RULE_OF_THUMB,
    )
    return layer_series(run, view, series, _newest_finding)


def weight_norm(run: Run, view: View) -> Spec:
    """Norm of every layer's weights."""
    series = _of_gradients(run, "weight_norm", "weight-norm", "Weight norm", "‖W‖ of a layer’s weights, ", is_log=False)
    return layer_series(run, view, series, _growth_finding)


def scale_invariance(run: Run, view: View) -> Spec:
    """Share of the gradient of every layer's weights that points along them: 0 if their scale does not matter."""
    series = _of_gradients(
        run,
        "radial",
        "scale-invariance",
        "Scale invariance: gradient along the weights",
        "Σ|⟨Wⱼ, gⱼ⟩| ÷ Σ‖Wⱼ‖‖gⱼ‖ over the units j of a layer, ",
        ends=(RADIAL_FLOOR, 1.0),
    )
    return layer_series(run, view, series, _radial_finding)


def _of_gradients(run: Run, field: str, name: str, title: str, what: str, **more: Any) -> Series:
    """A field of the records of gradients."""
    records = run.gradients
    shape = (0, len(run.competitors), run.settings.model.hidden_layers + 1)
    values = np.stack([getattr(one, field) for one in records]) if records else np.zeros(shape)
    step = np.array([one.step for one in records], np.float64)
    return Series(name, title, f"{what}{HOW}", step, np.where(np.isfinite(values), values, np.nan), **more)


# --- what is said -----------------------------------------------------------------------------------------------------


def _compare(run: Run, values: Floats) -> str:
    """Such as "0.13 without BN, 0.15 with it". values: [k]"""
    return enumerate_texts(run.competitors, [size(float(one)) if np.isfinite(one) else None for one in values])


def _newest_finding(run: Run, view: View, series: Series) -> str:
    told = _compare(run, series.newest(run)[:, view.layer - 1])
    return f"layer {view.layer}: {told}" if told else ""


def _norm_finding(run: Run, view: View, series: Series) -> str:
    """Such as "layer 3: 0.13 without BN, 0.15 with it; layer 1 ÷ layer 3: 1.7 without BN, 1.5 with it"."""
    finding, layers, newest = _newest_finding(run, view, series), run.settings.model.hidden_layers, series.newest(run)
    if not finding or layers < 2:
        return finding
    told = _compare(run, newest[:, 0] / np.where(newest[:, layers - 1] > 0, newest[:, layers - 1], np.nan))
    return f"{finding}; layer 1 ÷ layer {layers}: {told}" if told else finding


def _growth_finding(run: Run, view: View, series: Series) -> str:
    """Such as "layer 3 grew by 49 % without BN, 8.2 % with it since step 0"."""
    own = series.of(view.layer)
    growth = [_growth(own[:, k]) for k in range(own.shape[1])]
    known = [one for one in growth if np.isfinite(one)]
    if len(series.step) < 2 or not known:
        return ""
    have_grown = min(known) >= 0
    texts = [_percent(one, is_signed=not have_grown) if np.isfinite(one) else None for one in growth]
    told = enumerate_texts(run.competitors, texts)
    return f"layer {view.layer}{' grew by' if have_grown else ':'} {told} since step {whole(series.step[0])}"


def _growth(values: Floats) -> float:
    """From the first to the last finite value, relative to the first. values: [m]"""
    first, last = first_finite(values), last_finite(values)
    return last / first - 1 if first > 0 else float("nan")


def _percent(share: float, is_signed: bool) -> str:
    text = f"{100 * abs(share):,.{1 if abs(share) < 0.0995 else 0}f}{NO_BREAK}%"
    return f"{MINUS if share < 0 else '+'}{text}" if is_signed else text


def _radial_finding(run: Run, view: View, series: Series) -> str:
    """Such as "layer 3: 0.10 without BN, 7.2×10⁻⁶ with it; output layer, no BN after it: …"."""
    finding, told = _newest_finding(run, view, series), _compare(run, series.newest(run)[:, -1])
    if run.settings.model.bn_placement is BnPlacement.AFTER:
        return finding and f"{finding}; not 0 where BN follows the nonlinearity"
    return f"{finding}; output layer, no BN after it: {told}" if finding and told else finding
