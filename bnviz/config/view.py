"""What a visitor looks at in a run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bnviz.config.model import ModelConfig
from bnviz.config.names import Axis, ShiftMeasure
from bnviz.config.table import Choice, Number

NEWEST: Final = -1
MOST_BATCHES: Final = 8
MOST_DESCENT_STEPS: Final = 500
MEAN: Final = -1  # of all batches
MOST_PHASES: Final = 9
MOST_SCALE: Final = 1e6  # of a gamma or beta of the visitor's own


@dataclass(frozen=True)
class View:
    """What a visitor looks at in a run; changing it never touches the training.

    Attributes:
        layer: hidden layer, counted from 1 as the paper does.
        unit: unit of that layer, counted from 0; the nearest unit that is kept is shown.
        axis: what is on the x axis of charts over time.
        is_path: drift as path length instead of net displacement.
        is_standardised: drift divided by the pooled standard deviation; gradients divided by theirs.
        step: at which a series is looked at, such as gradients, the nearest one kept; NEWEST follows the run.
        is_offset: histograms over steps one behind the other, not one over the other.
        shift_measure: how gradients before and after the update of the layers below are compared.
        untrained_layer: weight layer of the untrained networks, counted from 1.
        descent_step: up to which the descents of a linear unit are drawn; NEWEST shows them whole.
        batch: of a loss landscape, counted from 0; MEAN is the mean over its batches.
        is_surface: the loss on a plane as a surface that turns, instead of contours.
        anatomy_phase: of the walk of a mini-batch through a BN layer, counted from 1.
        gamma, beta: of the visitor's own, in place of a unit's trained ones.
        weight_factor: by which the weights before that layer are multiplied; the nearest measured one is shown.
        is_whole_range: accuracies from 0 on, not from where the paper's figure begins.
        trial: of an experiment of several runs, the condition whose runs are looked at, counted from 0.
        is_between: the loss on the line from twin to twin, instead of each network's own from its start to now.
    """

    layer: int = 3
    unit: int = 0
    axis: Axis = Axis.STEPS
    is_path: bool = False
    is_standardised: bool = False
    is_gradient_standardised: bool = False
    step: int = NEWEST
    is_offset: bool = True
    shift_measure: ShiftMeasure = ShiftMeasure.CHANGE
    untrained_layer: int = 10
    descent_step: int = NEWEST
    batch: int = 0
    is_surface: bool = False
    is_between: bool = False
    anatomy_phase: int = 1
    gamma: float = 1.0
    beta: float = 0.0
    weight_factor: float = 1.0
    trial: int = 1
    is_whole_range: bool = False

    def within(self, model: ModelConfig) -> "View":
        """The nearest view that this model has."""
        return replace(
            self,
            layer=min(max(self.layer, 1), model.hidden_layers),
            unit=min(max(self.unit, 0), model.width - 1),
            batch=min(max(self.batch, MEAN), MOST_BATCHES - 1),
            descent_step=min(max(self.descent_step, NEWEST), MOST_DESCENT_STEPS),
            anatomy_phase=min(max(self.anatomy_phase, 1), MOST_PHASES),
            gamma=min(max(self.gamma, -MOST_SCALE), MOST_SCALE),
            beta=min(max(self.beta, -MOST_SCALE), MOST_SCALE),
            weight_factor=min(max(self.weight_factor, 0.1), 10.0),
        )


# What a link says of a view: key, field and what it may be.
_IN_LINK: Final[tuple[tuple[str, str, Number | Choice], ...]] = (
    ("layer", "layer", Number(1, 20, is_integer=True)),
    ("unit", "unit", Number(0, 511, is_integer=True)),
    ("x", "axis", Choice(Axis)),
    ("trial", "trial", Number(0, 20, is_integer=True)),
    ("ulayer", "untrained_layer", Number(1, 101, is_integer=True)),
)
VIEW_KEYS: Final = tuple(key for key, _, _ in _IN_LINK)


def view_to_query(view: View) -> dict[str, str]:
    """The view as part of a link: only what differs from the default."""
    default = View()
    return {key: str(getattr(view, name)) for key, name, _ in _IN_LINK if getattr(view, name) != getattr(default, name)}


def view_from_query(query: Mapping[str, str]) -> tuple[View, list[str]]:
    """The view from a link, and a notice for every value that fell back to its default."""
    values: dict[str, Any] = {}
    notices = []
    for key, name, domain in _IN_LINK:
        if key not in query:
            continue
        try:
            values[name] = domain.check(domain.parse(str(query[key])))
        except ValueError:
            shown = str(query[key])[:40]
            notices.append(
                f"The link asks for {key}={shown}, which is not {domain.rule}; the default is shown instead."
            )
    return View(**values), notices
