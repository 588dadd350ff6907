"""What the charts of studies share: the frame, and the study's own networks in place of the run's."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any

from bnviz.config import Competitor
from bnviz.figures.chart import Words, chart
from bnviz.figures.theme import Spec
from bnviz.records import Run, Study


def study_chart(
    run: Run,
    study: Study | None,
    name: str,
    words: Words,
    data: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Mapping[str, Any]],
    *,
    shows: str = "",
    **more: Any,
) -> Spec:
    """A chart of a study that `run` carries; a zoom stays while its configuration does."""
    config = "" if study is None else "-".join(map(str, astuple(study.config)))
    return chart(run, name, words, data, axes, shows=f"{config}-{shows}", **more)


def staged(run: Run, competitors: Sequence[Competitor]) -> Run:
    """The same run with nothing but these networks in it, all in good health: what happened to the run's own networks
    has nothing to do with them."""
    history = replace(run.history, competitors=tuple(competitors))
    return run.replace(history=history, status=replace(run.status, health=()))
