"""Anatomy parts: what the charts of the page inside BN share, and the phases in which a mini-batch walks through.

Shapes: b = values that are kept of a unit, u = kept units, q = quantile levels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import Nonlinearity, View
from bnviz.figures.chart import Words, chart, clear_note, empty_axes, not_yet
from bnviz.figures.numbers import whole
from bnviz.figures.theme import Spec
from bnviz.records import GRADIENTS, STAGES, Anatomy, Floats, Run

WAITING: Final = "Being measured."
NOT_ASKED: Final = "Press Play, or +1: a mini-batch is walked through your run’s own layer."


@dataclass(frozen=True)
class Unit:
    """One unit of the layer, with the numbers that the formulas are filled with.

    Attributes:
        index: in the record's arrays.
        number: in the layer, counted from 0.
    """

    now: Anatomy
    index: int
    number: int

    def value(self, name: str) -> Floats:
        """Those that are kept, at one of STAGES or GRADIENTS. [b]"""
        arrays, names = (self.now.values, STAGES) if name in STAGES else (self.now.gradients, GRADIENTS)
        found: Floats = arrays[names.index(name), :, self.index]
        return found

    def of(self, name: str) -> float:
        """A number of this unit, such as its "mean"."""
        return float(getattr(self.now, name)[self.index])

    def moments(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation of all of them, at one of STAGES or GRADIENTS."""
        if self.now.moments is None:
            values = self.value(name)
            return float(values.mean()), float(values.std())
        mean, deviation = self.now.moments[(*STAGES, *GRADIENTS).index(name), :, self.index]
        return float(mean), float(deviation)

    @property
    def sums(self) -> tuple[float, float]:
        """Of d_x, and of d_x times normalized, over all values."""
        if self.now.sums is None:
            d_x = self.value("d_x")
            return float(d_x.sum()), float((d_x * self.value("normalized")).sum())
        whole_sum, along = self.now.sums[:, self.index]
        return float(whole_sum), float(along)

    @property
    def m(self) -> str:
        """How the formulas call the number of values: m′ where the batch has positions too."""
        return "m" if self.now.positions == 1 else "m′"  # LaTeX's own prime stands too high in MathML

    @property
    def name(self) -> str:
        """Such as "unit 3"."""
        return f"{unit_word(self.now)} {self.number}"

    @property
    def deviation(self) -> float:
        """sqrt(variance + eps)"""
        return float(np.sqrt(self.of("variance") + self.now.eps))


def walked(run: Run) -> Anatomy | None:
    """The walk, if there is one to draw."""
    return None if run.anatomy is None or run.anatomy.problem else run.anatomy


def unit_of(now: Anatomy, view: View) -> Unit:
    """The kept unit that is nearest to the one that the visitor looks at."""
    index = int(np.argmin(np.abs(now.units - view.unit)))
    return Unit(now, index, int(now.units[index]))


def layer_quantiles(now: Anatomy, name: str) -> Floats:
    """Over all units and images, at one of STAGES or GRADIENTS. [q]"""
    arrays, names = (now.layer_values, STAGES) if name in STAGES else (now.layer_gradients, GRADIENTS)
    found: Floats = arrays[names.index(name)]
    return found


def unit_word(now: Anatomy) -> str:
    return "unit" if now.positions == 1 else "feature map"


def counted_text(now: Anatomy) -> str:
    """Such as "60 images", or "60 images × 144 positions"."""
    if now.positions == 1:
        return f"{whole(now.m)} images"
    return f"{whole(now.config.images)} images × {whole(now.positions)} positions"


def shown_text(now: Anatomy) -> str:
    """The same of the values that are drawn, such as "256 of 8,640 values"."""
    if len(now.labels) == now.m:
        return counted_text(now)
    return f"{whole(len(now.labels))} of {whole(now.m)} values"


# --- the phases -------------------------------------------------------------------------------------------------------

Formulas = Callable[[Unit, Nonlinearity], Sequence[str]]


@dataclass(frozen=True)
class Phase:
    """One step of the walk.

    Attributes:
        before, after: at which of STAGES or GRADIENTS the batch is before and after it; the same where nothing moves.
        formulas: in LaTeX, in the paper's notation, with the numbers of a unit put in.
        has_moments: whether mean and standard deviation are marked.
    """

    title: str
    before: str
    after: str
    formulas: Formulas
    has_moments: bool = False

    @property
    def is_backward(self) -> bool:
        return self.after in GRADIENTS


def tex(value: float, digits: int = 3) -> str:
    """A number in LaTeX, such as 0.412 or 3.1 \\times 10^{-5}."""
    if not np.isfinite(value):
        return r"\text{not finite}"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}"


def _bracketed(value: float) -> str:
    return f"({tex(value)})" if value < 0 else tex(value)


G: Final[Mapping[Nonlinearity, tuple[str, str]]] = {  # g(z), and its derivative
    Nonlinearity.SIGMOID: (r"\frac{1}{1 + e^{-Z}}", r"g(Z)\,(1 - g(Z))"),
    Nonlinearity.TANH: (r"\tanh Z", r"1 - \tanh^2 Z"),
    Nonlinearity.RELU: (r"\max(0, Z)", r"1 \text{ where } Z > 0, \text{ else } 0"),
    Nonlinearity.LEAKY_RELU: (r"\max(0.01\,Z, Z)", r"1 \text{ where } Z > 0, \text{ else } 0.01"),
    Nonlinearity.GELU: (r"Z\,\Phi(Z)", r"\Phi(Z) + Z\,\varphi(Z)"),
    Nonlinearity.IDENTITY: ("Z", "1"),
}


def _g(nonlinearity: Nonlinearity, argument: str, is_derivative: bool = False) -> str:
    return G[nonlinearity][is_derivative].replace("Z", argument)


def _pre_activations(unit: Unit, nonlinearity: Nonlinearity) -> list[str]:
    first = float(unit.value("pre_activation")[0])
    name, bias = ("x", "") if unit.now.is_before else ("z", " + b")
    return [
        rf"{name}_i = W u_i{bias}, \quad i = 1 \ldots {unit.m} = {_product(unit.now)}{unit.now.m}",
        rf"{name}_1 = {tex(first)}",
    ]


def _product(now: Anatomy) -> str:
    """m p q with its numbers, where there are positions."""
    if now.positions == 1:
        return ""
    side = round(now.positions**0.5)
    return rf"m\,p\,q = {now.config.images} \cdot {side} \cdot {side} = "


def _moments(unit: Unit, nonlinearity: Nonlinearity) -> list[str]:
    mean, variance, m = unit.of("mean"), unit.of("variance"), unit.m
    return [
        rf"\mu_{{\mathcal B}} = \frac{{1}}{{{m}}} \sum_{{i=1}}^{{{m}}} x_i = {tex(mean)}",
        rf"\sigma_{{\mathcal B}}^2 = \frac{{1}}{{{m}}} \sum_{{i=1}}^{{{m}}} (x_i - \mu_{{\mathcal B}})^2 = "
        rf"{tex(variance)}",
    ]


def _normalize(unit: Unit, nonlinearity: Nonlinearity) -> list[str]:
    x, normalized = float(unit.value("x")[0]), float(unit.value("normalized")[0])
    return [
        r"\hat x_i = \frac{x_i - \mu_{\mathcal B}}{\sqrt{\sigma_{\mathcal B}^2 + \epsilon}}",
        rf"\hat x_1 = \frac{{{tex(x)} - {_bracketed(unit.of('mean'))}}}{{{tex(unit.deviation)}}} = {tex(normalized)}",
    ]


def _scale_and_shift(unit: Unit, nonlinearity: Nonlinearity) -> list[str]:
    normalized, y = float(unit.value("normalized")[0]), float(unit.value("y")[0])
    gamma, beta = unit.of("gamma"), unit.of("beta")
    return [
        r"y_i = \gamma \hat x_i + \beta",
        rf"y_1 = {tex(gamma)} \cdot {_bracketed(normalized)} + {_bracketed(beta)} = {tex(y)}",
    ]


def _nonlinearity(unit: Unit, nonlinearity: Nonlinearity) -> list[str]:
    before, after = ("y", "u") if unit.now.is_before else ("z", "x")
    given = unit.value("y" if unit.now.is_before else "pre_activation")
    found = unit.value("output" if unit.now.is_before else "x")
    return [
        rf"{after}_i = g({before}_i) = {_g(nonlinearity, f'{before}_i')}",
        rf"{after}_1 = g({tex(float(given[0]))}) = {tex(float(found[0]))}",
    ]


def _back_through_g(unit: Unit, nonlinearity: Nonlinearity) -> list[str]:
    d_u, d_y = float(unit.value("d_output")[0]), float(unit.value("d_y")[0])
    return [
        r"\frac{\partial \ell}{\partial y_i} = \frac{\partial \ell}{\partial u_i}\, g'(y_i)",
        rf"g'(y) = {_g(nonlinearity, 'y', is_derivative=True)}",
        rf"\frac{{\partial \ell}}{{\partial u_1}} = {tex(d_u)} \;\to\; "
        rf"\frac{{\partial \ell}}{{\partial y_1}} = {tex(d_y)}",
    ]


def _back_to_normalized(unit: Unit, nonlinearity: Nonlinearity) -> list[str]:
    return [
        r"\frac{\partial \ell}{\partial \hat x_i} = \frac{\partial \ell}{\partial y_i} \cdot \gamma, \quad "
        rf"\gamma = {tex(unit.of('gamma'))}",
        r"\frac{\partial \ell}{\partial \gamma} = \sum_i \frac{\partial \ell}{\partial y_i} \hat x_i = "
        rf"{tex(unit.of('d_gamma'))}",
        r"\frac{\partial \ell}{\partial \beta} = \sum_i \frac{\partial \ell}{\partial y_i} = "
        rf"{tex(unit.of('d_beta'))}",
    ]


def _back_to_moments(unit: Unit, nonlinearity: Nonlinearity) -> list[str]:
    return [
        r"\frac{\partial \ell}{\partial \sigma_{\mathcal B}^2} = \sum_i \frac{\partial \ell}{\partial \hat x_i} "
        r"(x_i - \mu_{\mathcal B}) \cdot \tfrac{-1}{2} (\sigma_{\mathcal B}^2 + \epsilon)^{-3/2} = "
        rf"{tex(unit.of('d_variance'))}",
        r"\frac{\partial \ell}{\partial \mu_{\mathcal B}} = \sum_i \frac{\partial \ell}{\partial \hat x_i} \cdot "
        r"\frac{-1}{\sqrt{\sigma_{\mathcal B}^2 + \epsilon}} = "
        rf"{tex(unit.of('d_mean'))}",
    ]


def _back_to_x(unit: Unit, nonlinearity: Nonlinearity) -> list[str]:
    whole_sum, along = unit.sums
    return [
        r"\frac{\partial \ell}{\partial x_i} = \frac{\partial \ell}{\partial \hat x_i} \cdot "
        r"\frac{1}{\sqrt{\sigma_{\mathcal B}^2 + \epsilon}} + \frac{\partial \ell}{\partial \sigma_{\mathcal B}^2} "
        rf"\cdot \frac{{2 (x_i - \mu_{{\mathcal B}})}}{{{unit.m}}} + "
        rf"\frac{{\partial \ell}}{{\partial \mu_{{\mathcal B}}}} \cdot \frac{{1}}{{{unit.m}}}",
        rf"\sum_i \frac{{\partial \ell}}{{\partial x_i}} = {tex(whole_sum, 1)}",
        rf"\sum_i \frac{{\partial \ell}}{{\partial x_i}} \hat x_i = {tex(along, 1)}",
    ]


_INSIDE: Final = (  # BN itself, forward
    Phase("batch mean and variance", "x", "x", _moments, has_moments=True),
    Phase("normalize", "x", "normalized", _normalize),
    Phase("scale and shift", "normalized", "y", _scale_and_shift),
)
_BACK: Final = (
    Phase("back to x̂, γ and β", "d_y", "d_normalized", _back_to_normalized),
    Phase("back to mean and variance", "d_normalized", "d_normalized", _back_to_moments, has_moments=True),
    Phase("back to x", "d_normalized", "d_x", _back_to_x),
)
_FIRST: Final = Phase("pre-activations", "pre_activation", "pre_activation", _pre_activations)


def phases_of(now: Anatomy) -> tuple[Phase, ...]:
    """In order; the nonlinearity stands where the run has it."""
    if now.is_before:
        forward = Phase("nonlinearity", "y", "output", _nonlinearity)
        back = Phase("back through the nonlinearity", "d_output", "d_y", _back_through_g)
        return (_FIRST, *_INSIDE, forward, back, *_BACK)
    return (_FIRST, Phase("nonlinearity", "pre_activation", "x", _nonlinearity), *_INSIDE, *_BACK)


def names_of(unit: Unit) -> dict[str, str]:
    """How the charts call each of STAGES and GRADIENTS."""
    if unit.now.is_before:
        names = {"pre_activation": "x", "x": "x", "output": "u"}
    else:
        names = {"pre_activation": "z", "x": "x", "output": "y"}
    gradients = {"d_output": "∂ℓ/∂u", "d_y": "∂ℓ/∂y", "d_normalized": "∂ℓ/∂x̂", "d_x": "∂ℓ/∂x"}
    return names | {"normalized": "x̂", "y": "y"} | gradients


# --- the frame --------------------------------------------------------------------------------------------------------


def anatomy_chart(
    run: Run,
    name: str,
    words: Words,
    data: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Mapping[str, Any]],
    *,
    shows: str = "",
    **more: Any,
) -> Spec:
    """A chart of a walk; a zoom stays while layer and unit do."""
    now = run.anatomy
    of = f"{now.layer}-{now.m}" if now else ""
    return chart(run, name, words, data, axes, shows=f"{of}-{shows}", **more)


def waiting(run: Run, name: str, title: str, how: str) -> Spec:
    """The chart before there is anything to draw, and why."""
    text = WAITING if run.anatomy is None else run.anatomy.problem
    if run.anatomy is None and run.status.step == 0:
        text = NOT_ASKED
    return anatomy_chart(run, name, not_yet(title, how), [], empty_axes(), annotations=[clear_note(text)])


def where_text(now: Anatomy) -> str:
    """Such as "step 240, layer 3, 60 images"."""
    return f"step {whole(now.step)}, layer {now.layer}, {counted_text(now)}"
