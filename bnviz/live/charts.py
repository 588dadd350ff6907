"""Packed charts, each built and packed once however many browsers watch it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.live.formulas import with_formulas
from bnviz.live.frames import PackedChart, Spec, pack
from bnviz.records import Phase, Run

Figure = Callable[[Run, View], Spec]

MOST_PACKED: Final = 512  # charts, of all runs and views together
MOST_PACKED_BYTES: Final = 100_000_000  # of them; some 50 kB each, a landscape of 101 x 101 points ten times that
OVER_TIME: Final = ("axis",)

# The fields of a view that each chart reads; a chart not named here may read all of them.
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "accuracy": OVER_TIME,
    "loss": OVER_TIME,
    "drift-bands": (*OVER_TIME, "layer", "unit"),
    "density": (*OVER_TIME, "layer"),
    "drift-distance": (*OVER_TIME, "is_path", "is_standardised"),
    "gradient-histogram": ("layer", "is_gradient_standardised"),
    "loss-contour": (),
    "health": (),
    "gradient-layers": ("layer", "step", "is_gradient_standardised"),
    "gradient-steps": ("layer", "step", "is_gradient_standardised", "is_offset"),
    "gradient-norm": (*OVER_TIME, "layer"),
    "update-ratio": (*OVER_TIME, "layer"),
    "weight-norm": (*OVER_TIME, "layer"),
    "scale-invariance": (*OVER_TIME, "layer"),
    "untrained-histogram": ("untrained_layer",),
    "untrained-gradients": (),
    "untrained-activations": (),
    "untrained-predictions": (),
    "untrained-jacobian": (),
    "untrained-loss": (),
    "trials-summary": (),
    "trials-curves": ("trial",),
    "trials-gap": (),
    "trials-change": (),
    "trials-digits": (),
    "trials-spread": ("trial",),
    "trials-fit": (),
    "depth-gradients": (),
    "depth-outputs": (),
    "cousins-curves": (),
    "cousins-reach": (),
    "cousins-rates": (),
    "cousins-time": (),
    "ensemble": (),
    "bn-cost": (),
    "bn-cost-time": (),
    "sweep-map": (),
    "sweep-best": (),
    "sweep-ranges": (),
    "whitening-descent": ("descent_step",),
    "whitening-loss": ("descent_step",),
    "whitening-inputs": (),
    "whitening-spectrum": (),
    "anatomy-walk": ("unit", "anatomy_phase"),
    "anatomy-identity": ("unit", "gamma", "beta"),
    "anatomy-scale": ("weight_factor",),
    "anatomy-naive": ("unit",),
    "anatomy-stream": ("unit",),
    "anatomy-inference": ("unit",),
    "covariate-shift": (*OVER_TIME, "shift_measure"),
    "smoothness": OVER_TIME,
    "sharpness": OVER_TIME,
    "accuracy-modes": OVER_TIME,
    "figure-one-accuracy": ("step", "is_whole_range"),
    "figure-one-bands": ("step", "layer", "unit"),
    "figure-one-rates": ("is_whole_range",),
    "figure-one-tuned": (),
    "figure-one-optimizers": (),
    "landscape": ("batch", "is_surface"),
    "landscape-cut": ("is_between",),
    "landscape-batches": ("batch",),
}


def _accuracy(run: Run) -> tuple[Any, ...]:
    measured = np.flatnonzero(run.history.has_accuracy)
    newest = run.history.step[measured[-1]] if measured.size else None
    return newest, measured.size, run.status.health, run.interventions, run.ghost and run.ghost.label


def _shift(run: Run) -> tuple[Any, ...]:
    """Measured many times a second while the run plays, and dear to draw: then as often as the accuracy."""
    is_playing = run.status.phase is Phase.PLAYING
    return (*_accuracy(run), is_playing or (run.shift[-1:], run.smoothness[-1:], run.sharpness[-1:]))


def _study(run: Run) -> tuple[Any, ...]:
    return (run.study,)


def _figure_one(run: Run) -> tuple[Any, ...]:
    """Of a live run as often as its accuracy, as the lab's."""
    return run.study, _accuracy(run)


def _anatomy(run: Run) -> tuple[Any, ...]:
    return (run.anatomy, run.status.step == 0)


# What a chart draws, where that is new less often than the run: test accuracy is with every other point.
DRAWS: dict[str, Callable[[Run], tuple[Any, ...]]] = {
    "accuracy": _accuracy,
    "density": _accuracy,
    "gradient-histogram": lambda run: (run.gradients_at_start, run.gradients_now),
    "covariate-shift": _shift,
    "smoothness": _shift,
    "sharpness": _shift,
    "gradient-layers": lambda run: (run.gradients,),
    "gradient-steps": lambda run: (run.gradients,),
    "loss-contour": lambda run: (run.contour, run.status.health, run.interventions),
    "landscape": lambda run: (run.landscape, run.status.health, run.interventions),
    "landscape-cut": lambda run: (run.landscape,),
    "landscape-batches": lambda run: (run.landscape,),
}
_OF_STUDIES: Final = (
    "untrained-", "whitening-", "trials-", "depth-", "sweep-", "cousins-", "ensemble", "bn-cost",
)  # fmt: skip
DRAWS |= {name: _study for name in READS if name.startswith(_OF_STUDIES)}
DRAWS |= dict.fromkeys(("figure-one-rates", "figure-one-tuned", "figure-one-optimizers"), _study)
DRAWS |= {"figure-one-accuracy": _figure_one}
DRAWS |= {name: _anatomy for name in READS if name.startswith("anatomy-")}
ALL_FIELDS: Final = tuple(one.name for one in fields(View))


class PackedCharts:
    """The newest packed chart of every (run, chart, view); the least recently used ones are forgotten.

    Thread-safe: sockets of several event loops share one.
    """

    def __init__(self, figures: Mapping[str, Figure], most: int = MOST_PACKED) -> None:
        self._figures, self._most = figures, most
        self._lock = threading.Lock()
        self._bytes = 0
        self._packed: OrderedDict[tuple[Any, ...], tuple[tuple[Any, ...], PackedChart]] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._figures)

    def get(self, run: Run, version: int, name: str, view: View) -> PackedChart:
        """The chart of this name as the run stands at this version.

        A few tenths of a millisecond when it has to be built, 20 ms for the largest landscapes: on an event loop.
        """
        read = tuple(getattr(view, field) for field in READS.get(name, ALL_FIELDS))
        drawn = DRAWS[name](run) if name in DRAWS else version
        key, state = (run.run_id, name, read), (run.status.generation, drawn)
        with self._lock:
            known = self._packed.get(key)
            if known is None or known[0] != state:
                older = known
                known = (state, pack(with_formulas(self._figures[name](run, view))))
                self._packed[key] = known
                self._bytes += _size(known[1]) - (_size(older[1]) if older is not None else 0)
            self._packed.move_to_end(key)
            while len(self._packed) > self._most or self._bytes > MOST_PACKED_BYTES:
                _, (_, dropped) = self._packed.popitem(last=False)
                self._bytes -= _size(dropped)
            return known[1]


def _size(chart: PackedChart) -> int:
    return len(chart.text) + len(chart.data)
