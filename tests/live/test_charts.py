"""Packed charts: built once for everybody, anew when the run is newer, forgotten when many others came."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bnviz.config import Axis, Experiment, ShiftMeasure, View
from bnviz.figures import FIGURES
from bnviz.live.charts import ALL_FIELDS, DRAWS, READS, PackedCharts
from bnviz.live.frames import Spec, pack
from bnviz.records import Run
from tests.figures import made_up_runs
from tests.figures.made_up_cousins import cost_of, cousins_of
from tests.figures.made_up_figure_one import a_study as a_figure_one
from tests.figures.made_up_trials import a_depth, a_trials
from tests.live import fakes

OTHER: dict[str, Any] = {
    "layer": 1,
    "unit": 7,
    "axis": Axis.IMAGES,
    "is_path": True,
    "is_standardised": True,
    "is_gradient_standardised": True,
    "step": 500,
    "is_offset": False,
    "shift_measure": ShiftMeasure.COSINE,
    "untrained_layer": 2,
    "descent_step": 7,
    "batch": 1,
    "is_surface": True,
    "is_between": True,
    "anatomy_phase": 3,
    "gamma": 2.0,
    "beta": -1.0,
    "weight_factor": 3.0,
    "trial": 3,
    "is_whole_range": True,
}


class CountedFigures(dict[str, Any]):
    """A figure that remembers how often it was built."""

    def __init__(self) -> None:
        self.built: Counter[str] = Counter()
        super().__init__({name: self._figure(name) for name in ("loss", "health")})

    def _figure(self, name: str) -> Any:
        def figure(run: Run, view: View) -> Spec:
            self.built[name] += 1
            return {"data": [{"x": np.array([run.status.step])}], "layout": {}}

        return figure


def test_a_chart_is_built_once_however_many_watch() -> None:
    figures, run = CountedFigures(), fakes.run()
    charts = PackedCharts(figures)
    first = charts.get(run, 1, "loss", View())
    assert all(charts.get(run, 1, "loss", View()) is first for _ in range(9))
    assert figures.built["loss"] == 1


def test_a_chart_is_built_anew_for_a_new_version_and_a_new_generation() -> None:
    figures, run = CountedFigures(), fakes.run()
    charts = PackedCharts(figures)
    charts.get(run, 1, "loss", View())
    charts.get(run, 2, "loss", View())
    charts.get(fakes.run(generation=1), 2, "loss", View())
    assert figures.built["loss"] == 3


def without_accuracy(run: Run, points: int) -> Run:
    """The same run with no accuracy at its newest points, and a newer status."""
    accuracy = run.history.accuracy.copy()
    accuracy[len(accuracy) - points :] = np.nan
    return run.replace(history=replace(run.history, accuracy=accuracy))


def test_accuracy_is_built_anew_only_where_what_it_draws_has_changed() -> None:
    charts, run = PackedCharts(FIGURES), fakes.run()
    shorter = run.replace(history=run.history.first(len(run.history) - 2))
    first = charts.get(shorter, 1, "accuracy", View())
    assert charts.get(without_accuracy(run, 2), 2, "accuracy", View()) is first
    assert charts.get(run, 3, "accuracy", View()) != first
    changed = run.replace(interventions=(fakes.INTERVENTION,))
    assert charts.get(changed, 4, "accuracy", View()) != charts.get(run, 3, "accuracy", View())


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_a_chart_stays_the_same_as_long_as_what_it_draws(name: str) -> None:
    run = fakes.run(interventions=(fakes.INTERVENTION,))
    longer, shorter = without_accuracy(run, 2), run.replace(history=run.history.first(len(run.history) - 2))
    assert DRAWS[name](longer) == DRAWS[name](shorter)
    assert pack(FIGURES[name](longer, View())) == pack(FIGURES[name](shorter, View()))


def test_views_that_differ_in_what_a_chart_does_not_read_share_it() -> None:
    figures, run = CountedFigures(), fakes.run()
    charts = PackedCharts(figures)
    charts.get(run, 1, "loss", View(layer=1))
    charts.get(run, 1, "loss", View(layer=2))
    charts.get(run, 1, "loss", View(axis=Axis.IMAGES))
    assert figures.built["loss"] == 2


def test_runs_do_not_share_charts() -> None:
    charts = PackedCharts(CountedFigures())
    one, other = fakes.run(run_id="one", steps=[1]), fakes.run(run_id="other", steps=[2])
    assert charts.get(one, 1, "loss", View()) != charts.get(other, 1, "loss", View())


def test_the_least_recently_used_charts_are_forgotten() -> None:
    figures = CountedFigures()
    charts = PackedCharts(figures, most=2)
    runs = {run_id: fakes.run(run_id=run_id) for run_id in "abc"}
    for run_id in "abac":  # b is the one used longest ago when c comes
        charts.get(runs[run_id], 1, "loss", View())
    assert figures.built["loss"] == 3
    charts.get(runs["a"], 1, "loss", View())
    assert figures.built["loss"] == 3
    charts.get(runs["b"], 1, "loss", View())
    assert figures.built["loss"] == 4


FIGURE_ONE = a_figure_one()


@pytest.mark.parametrize("name", sorted(FIGURES))
@pytest.mark.parametrize("field", ALL_FIELDS)
def test_the_table_names_every_field_that_a_chart_reads(name: str, field: str) -> None:
    if field in READS.get(name, ALL_FIELDS):
        return
    run = made_up_runs.a_run(
        30,
        interventions=(fakes.INTERVENTION,),
        has_shift=True,
        has_untrained=True,
        has_landscape=True,
        has_anatomy=True,
    )
    if name.startswith(("trials-", "depth-")):
        changes = {
            "trials-gap": Experiment.MINI_BATCHES,
            "trials-summary": Experiment.BATCH_SIZE,
            "trials-spread": Experiment.INITIALIZATION,
            "trials-fit": Experiment.DROPOUT,
        }
        trials = a_trials(changes.get(name, Experiment.TEST_TIME))
        run = run.replace(study=a_depth() if name.startswith("depth-") else trials)
    if name.startswith(("cousins-", "ensemble", "bn-cost")):
        run = run.replace(study=cost_of() if name.startswith("bn-cost") else cousins_of())
    if name.startswith("figure-one-"):
        run = run.replace(study=FIGURE_ONE, settings=FIGURE_ONE.config.settings)
    view = View(layer=3, unit=52)
    changed = replace(view, **{field: OTHER[field]})
    assert pack(FIGURES[name](run, view)) == pack(FIGURES[name](run, changed))


def test_the_table_knows_all_fields_of_a_view() -> None:
    assert set(ALL_FIELDS) == set(View.__dataclass_fields__) == set(OTHER)
