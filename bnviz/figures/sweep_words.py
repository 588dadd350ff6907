"""The sentence above the charts of a sweep."""

from bnviz.config import View
from bnviz.figures.numbers import percent
from bnviz.figures.sweep_best import range_text
from bnviz.figures.sweep_parts import UNDER_WAY, WAITING, is_empty, place_text
from bnviz.figures.words import names_in_turn
from bnviz.records import Run, SweepPhase


def sweep_sentence(run: Run, view: View) -> str:
    """Each network at its best, and the range of usable learning rates where they were swept; marks as in `words`."""
    sweep = run.sweep
    if sweep is None:
        return WAITING
    if is_empty(sweep):
        return UNDER_WAY if sweep.status.phase is SweepPhase.RUNNING else WAITING
    known = [k for k in range(len(sweep.config.competitors)) if sweep.best_cell(k)]
    known.sort(key=lambda k: -k if k < 2 else k)  # BN first, as in the lab
    competitors = [sweep.config.competitors[k] for k in known]
    parts = []
    for k, one, name in zip(known, competitors, names_in_turn(competitors), strict=True):
        best = sweep.best_cell(k)
        assert best is not None
        accuracy = percent(float(sweep.median[k][best]))
        parts.append(f"{{{one.name}}} **{accuracy}** {name} ({place_text(sweep, *best)})")
    sides = [axis for axis in (sweep.config.x, sweep.config.y) if axis.setting == "learning_rate"]
    ranges = [f"{range_text(sweep, axis)}." for axis in sides if sweep.done == 1]
    return " ".join([f"Best tuned: {', '.join(parts)}.", *ranges])
