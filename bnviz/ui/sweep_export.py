"""The downloads of a sweep: one row a run and network, as CSV or Parquet."""

import json
import math
from typing import Any

import pyarrow as pa

from bnviz.config import sweep_to_json, text_of
from bnviz.records import Outcome, Sweep
from bnviz.ui.export import csv_of, parquet_of


def table(sweep: Sweep) -> pa.Table:
    """Where each run stands on the map, its seed, how each of its networks ended, and its accuracy over steps."""
    config = sweep.config
    rows: list[dict[str, Any]] = []
    for cell in config.cells:
        settings = config.settings_of(cell)
        for k, one in enumerate(config.competitors):
            place = (k, cell.row, cell.column, cell.seed)
            row: dict[str, Any] = {
                config.x.setting: _plain(config.x.values[cell.column]),
                config.y.setting: _plain(config.y.values[cell.row]),
                "seed": settings.model.seed,
                "network": one.label,
                "outcome": Outcome(sweep.outcome[place]).name.lower(),
                "since_step": _known(sweep.since_step[place]),
                "test_accuracy": _known(sweep.accuracy[place]),
            }
            over_steps = zip(sweep.steps, sweep.accuracy_over_steps[place], strict=True)
            rows.append(row | {f"test_accuracy_step_{step}": _known(value) for step, value in over_steps})
    return pa.Table.from_pylist(rows).replace_schema_metadata({"bnviz.sweep": json.dumps(sweep_to_json(config))})


def _known(value: float) -> float | None:
    """Empty where it is not measured."""
    return float(value) if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else text_of(value)


def csv(sweep: Sweep) -> bytes:
    """The table as CSV, UTF-8, with a header row."""
    return csv_of(table(sweep))


def parquet(sweep: Sweep) -> bytes:
    """The table as Parquet, the sweep's configuration in the file's metadata."""
    return parquet_of(table(sweep))
