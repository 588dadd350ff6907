"""Exports: the measurements of a run as a table, its charts as one page."""

import html as html_text
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from bnviz import config, figures
from bnviz.config import View
from bnviz.records import BAND_LEVELS, Run


def table(run: Run) -> pa.Table:
    """One row a point and competitor: what was measured, layers and weight matrices as numbered columns.

    Bands and quantiles are left to the charts' own downloads: they would be thousands of columns.
    """
    history = run.history
    columns: dict[str, list[Any]] = {}
    rows = [(m, k) for m in range(len(history)) for k in range(len(history.competitors))]

    def add(name: str, values: Any) -> None:
        columns[name] = [values(m, k) for m, k in rows]

    add("step", lambda m, k: int(history.step[m]))
    add("images", lambda m, k: int(history.images[m]))
    add("network", lambda m, k: history.competitors[k].label)
    add("compute_seconds", lambda m, k: float(history.compute_seconds[m, k]))
    add("loss_nats", lambda m, k: float(history.loss[m, k]))
    add("train_accuracy", lambda m, k: float(history.train_accuracy[m, k]))
    add("test_accuracy", lambda m, k: float(history.accuracy[m, k]))
    add("test_accuracy_batch_statistics", lambda m, k: float(history.batch_accuracy[m, k]))
    for name in (
        "net_displacement", "path_length", "standardised_net_displacement", "standardised_path_length",
        "saturated", "dead", "update_ratio",
    ):  # fmt: skip
        values = getattr(history, name)
        for layer in range(values.shape[2]):
            add(f"{name}_layer{layer + 1}", lambda m, k, v=values, i=layer: float(v[m, k, i]))
    for layer in range(history.layers):
        for index, level in enumerate(BAND_LEVELS):
            median = history.bands[:, :, layer, :, index]
            add(
                f"input_p{level * 100:.0f}_mean_over_units_layer{layer + 1}",
                lambda m, k, v=median: float(np.mean(v[m, k])),
            )
    return pa.table(columns).replace_schema_metadata(
        {"bnviz.settings": str(config.to_json(run.settings)), "bnviz.badge": str(run.badge)}
    )


def csv(run: Run) -> bytes:
    """The table as CSV, UTF-8, with a header row."""
    return csv_of(table(run))


def parquet(run: Run) -> bytes:
    """The table as Parquet, settings in the file's metadata."""
    return parquet_of(table(run))


def csv_of(rows: pa.Table) -> bytes:
    """Any table as CSV."""
    sink = io.BytesIO()
    pyarrow.csv.write_csv(rows, sink)
    return sink.getvalue()


def parquet_of(rows: pa.Table) -> bytes:
    """Any table as Parquet."""
    sink = io.BytesIO()
    pyarrow.parquet.write_table(rows, sink)
    return sink.getvalue()


def html(run: Run, view: View, names: Sequence[str]) -> bytes:
    """These charts on one page that needs no network."""
    from plotly import io as plotly_io

    parts, is_first = [], True
    for name in names:
        spec = figures.for_export(figures.FIGURES[name](run, view), "light")
        parts.append(plotly_io.to_html(spec, include_plotlyjs=is_first, full_html=False, validate=False))
        is_first = False
    settings = html_text.escape(str(config.to_json(run.settings)))
    body = "\n".join(parts)
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>bnviz</title><body>{body}<p>{settings}</p>"
    ).encode()
