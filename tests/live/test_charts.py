"""Packed charts: built once for everybody, anew when the run is newer, forgotten when many others came."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bnviz.config import Axis, ShiftMeasure, View
from bnviz.figures import FIGURES
from bnviz.live.charts import ALL_FIELDS, READS, PackedCharts
from bnviz.live.frames import Spec, pack
from bnviz.records import Run
from tests.figures import made_up_runs
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
}


class CountedFigures(dict[str, Any]):
    """A figure that remembers how often it was built."""

    def __init__(self) -> None:
        self.built: Counter[str] = Counter()
        super().__init__({name: self._figure(name) for name in ("accuracy", "health")})

    def _figure(self, name: str) -> Any:
        def figure(run: Run, view: View) -> Spec:
            self.built[name] += 1
            return {"data": [{"x": np.array([run.status.step])}], "layout": {}}

        return figure


def test_a_chart_is_built_once_however_many_watch() -> None:
    figures, run = CountedFigures(), fakes.run()
    charts = PackedCharts(figures)
    first = charts.get(run, 1, "accuracy", View())
    assert all(charts.get(run, 1, "accuracy", View()) is first for _ in range(9))
    assert figures.built["accuracy"] == 1


def test_a_chart_is_built_anew_for_a_new_version_and_a_new_generation() -> None:
    figures, run = CountedFigures(), fakes.run()
    charts = PackedCharts(figures)
    charts.get(run, 1, "accuracy", View())
    charts.get(run, 2, "accuracy", View())
    charts.get(fakes.run(generation=1), 2, "accuracy", View())
    assert figures.built["accuracy"] == 3


def test_views_that_differ_in_what_a_chart_does_not_read_share_it() -> None:
    figures, run = CountedFigures(), fakes.run()
    charts = PackedCharts(figures)
    charts.get(run, 1, "accuracy", View(layer=1))
    charts.get(run, 1, "accuracy", View(layer=2))
    charts.get(run, 1, "accuracy", View(axis=Axis.IMAGES))
    assert figures.built["accuracy"] == 2


def test_runs_do_not_share_charts() -> None:
    charts = PackedCharts(CountedFigures())
    one, other = fakes.run(run_id="one", steps=[1]), fakes.run(run_id="other", steps=[2])
    assert charts.get(one, 1, "accuracy", View()).digest != charts.get(other, 1, "accuracy", View()).digest


def test_the_least_recently_used_charts_are_forgotten() -> None:
    figures = CountedFigures()
    charts = PackedCharts(figures, most=2)
    runs = {run_id: fakes.run(run_id=run_id) for run_id in "abc"}
    for run_id in "abac":  # b is the one used longest ago when c comes
        charts.get(runs[run_id], 1, "accuracy", View())
    assert figures.built["accuracy"] == 3
    charts.get(runs["a"], 1, "accuracy", View())
    assert figures.built["accuracy"] == 3
    charts.get(runs["b"], 1, "accuracy", View())
    assert figures.built["accuracy"] == 4


@pytest.mark.parametrize("name", sorted(FIGURES))
@pytest.mark.parametrize("field", ALL_FIELDS)
def test_the_table_names_every_field_that_a_chart_reads(name: str, field: str) -> None:
    if field in READS.get(name, ALL_FIELDS):
        return
    run = made_up_runs.a_run(30, interventions=(fakes.INTERVENTION,), has_shift=True, has_untrained=True)
    view = View(layer=3, unit=52)
    changed = replace(view, **{field: OTHER[field]})
    assert pack(FIGURES[name](run, view)).digest == pack(FIGURES[name](run, changed)).digest


def test_the_table_knows_all_fields_of_a_view() -> None:
    assert set(ALL_FIELDS) == set(View.__dataclass_fields__) == set(OTHER)
