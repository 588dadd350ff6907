"""Studies: what carries a visitor's measurements of something that does not train."""

from collections.abc import Sequence
from typing import Final

from bnviz.config import Setting, StudyConfig
from bnviz.errors import BnvizError
from bnviz.ui import lab as commands
from bnviz.ui.lab import Lab, Role, open_lab

MOST_CARRIERS: Final = 1000
_CARRIERS: dict[tuple[Role, str], str] = {}  # a visitor's run that carries the measurements, by its owner


def open_study(role: Role, wanted: StudyConfig, is_asked: bool = False) -> Lab:
    """What carries the study that this visitor wants, being measured; a recording of it where there is one.

    With `is_asked` the visitor has asked for it to be measured here although there is a recording.
    """
    lab = open_lab(role)
    if lab.is_recorded and (is_asked or lab.run.study is None or lab.run.study.config != wanted):
        lab = _begin(lab)
    if not lab.is_recorded and (lab.orders is None or lab.orders.study != wanted):
        try:
            lab.engine.measure_study(lab.run.run_id, lab.owner, wanted)
        except BnvizError as error:
            commands.notify(error.text)
    return lab


def _begin(lab: Lab) -> Lab:
    """The run that carries this visitor's measurements, found again after a reload; else a new one."""
    key = (lab.role, lab.owner)
    commands.take_over(lab, _CARRIERS.get(key))
    found = open_lab(lab.role)
    if found.is_recorded:
        commands.start_own(lab)
        found = open_lab(lab.role)
    _CARRIERS[key] = found.run.run_id
    while len(_CARRIERS) > MOST_CARRIERS:
        del _CARRIERS[next(iter(_CARRIERS))]
    return found


def keys_of(settings: Sequence[Setting]) -> list[str]:
    """Their names in a link."""
    return [setting.key for setting in settings]
