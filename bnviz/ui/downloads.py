"""Downloads: what a visitor takes along of a run, the same in the lab and in the list of runs."""

import json
from collections.abc import Callable

import streamlit as st

from bnviz import config
from bnviz.config import Settings
from bnviz.errors import RunError
from bnviz.records import Run
from bnviz.runs.engine import Engine
from bnviz.ui import export
from bnviz.ui.script import script

_BINARY = "application/octet-stream"


def downloads(engine: Engine, run_id: str, settings: Settings, step: int, key: str, has_weights: bool = True) -> None:
    """A button a file. What is in them is put together when one is pressed.

    `has_weights`: whether there is a checkpoint, as recordings have none.
    """

    def run() -> Run:
        return engine.hub.get(run_id)

    name = f"bnviz-{step}"
    with st.container(horizontal=True, gap=8, key=f"{key}-downloads"):
        _button("Measurements, CSV", lambda: export.csv(run()), f"{name}.csv", "text/csv", key)
        _button("Measurements, Parquet", lambda: export.parquet(run()), f"{name}.parquet", _BINARY, key)
        if has_weights:
            _button("Weights, safetensors", lambda: _weights(engine, run_id), f"{name}.safetensors", _BINARY, key)
        _button("Settings, JSON", lambda: _settings(settings), f"{name}.json", "application/json", key)
        _button("PyTorch script", lambda: script(run()).encode(), f"{name}.py", "text/x-python", key)


def _button(label: str, content: Callable[[], bytes], name: str, kind: str, key: str) -> None:
    st.download_button(label, content, name, kind, key=f"{key}-{label}", on_click="ignore")


def _settings(settings: Settings) -> bytes:
    return json.dumps(config.to_json(settings), indent=2).encode()


def _weights(engine: Engine, run_id: str) -> bytes:
    checkpoint = engine.checkpoint(run_id)
    if checkpoint is None:
        raise RunError("This run has no networks yet: they are built when it gets a place.")
    return checkpoint
