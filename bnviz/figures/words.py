"""Words: the sentence above the charts, and the phrases in which charts compare competitors."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bnviz.config import (
    BN_DROPOUT,
    BY_NAME,
    DECORRELATED,
    GLOROT,
    GROUP,
    HE,
    LAYER,
    LSUV,
    NOISY,
    ORTHOGONAL,
    RENORM,
    TWINS,
    WEIGHT,
    Competitor,
    View,
)
from bnviz.figures.numbers import alike, percent, rough_percent, setting_value, whole
from bnviz.records import Badge, Condition, Floats, Health, Run

_BEFORE_DATA: Final = "Press Play: two networks start from the same weights and see the same images; one has BN."
_BEFORE_MORE: Final = "Press Play: {count} networks start from the same weights and see the same images: {names}."
_BEFORE_OTHER_STARTS: Final = "Press Play: {count} networks see the same images: {names}."
NO_BN: Final = ", no BN"
_SAID_AGAIN: Final = {"with BN": "with it", "without BN": "without"}
_IN_A_SENTENCE: Final = (
    {"noise, no BN": "with noise but no BN", "dropout, no BN": "with dropout but no BN"}
    | {one.label: f"with {one.label}" for one in (LAYER, GROUP, WEIGHT, RENORM, DECORRELATED, NOISY, BN_DROPOUT)}
    | {one.label: f"from {one.label.removesuffix(NO_BN)} weights without BN" for one in (LSUV, ORTHOGONAL, HE, GLOROT)}
)
SIGHT: Final = 3.0
FALL: Final = 0.2  # of accuracy, below a network's own best: worth a word
DEAD: Final = 0.25  # share of a layer's units
_NUMBER_WORDS: Final = {2: "Both", 3: "All three", 4: "All four"}
_COUNTS: Final = {1: "one", 2: "two", 3: "three", 4: "four"}


def sentence(run: Run, view: View) -> str:
    """What is happening in this run, in numbers computed from it.

    Marks: **bold**; {name} stands for the swatch of the competitor of that name, such as {bn}.
    """
    if not len(run.history):
        return _before_data(run)
    view = view.within(run.settings.model)
    parts = [_standing(run), _failures(run), _damage(run), _movement(run, view), _last_intervention(run)]
    return " ".join(part for part in parts if part)


def _before_data(run: Run) -> str:
    if {one.name for one in run.competitors} <= {one.name for one in TWINS}:
        return _BEFORE_DATA
    count = len(run.competitors)
    names = ", ".join(f"{_mark(run, k)} {spoken(one)}" for k, one in enumerate(run.competitors))
    text = _BEFORE_OTHER_STARTS if any(one.has_own_start for one in run.competitors) else _BEFORE_MORE
    return text.format(count=_COUNTS.get(count, str(count)), names=names)


def _standing(run: Run) -> str:
    """Newest accuracies of those that still train, BN first, what is compared with the twins last."""
    going = [k for k in range(len(run.competitors)) if not is_diverged(run, k) and has_data(run.history.accuracy[:, k])]
    going.sort(key=lambda k: -k if k < 2 else k)
    if not going:
        return ""
    step = int(run.history.step[run.history.has_accuracy][-1])
    when = f"after {whole(step)} {'step' if step == 1 else 'steps'}" if step else "at step 0, from the same weights"
    opening = f"Recorded run, {when}" if run.badge is Badge.RECORDED else when.capitalize()
    names = names_in_turn([run.competitors[k] for k in going])
    return f"{opening}: {', '.join(_one_standing(run, k, name) for k, name in zip(going, names, strict=True))}."


def _one_standing(run: Run, k: int, name: str) -> str:
    standing = f"{_mark(run, k)} **{rough_percent(last_finite(run.history.accuracy[:, k]))}** {name}"
    health = health_of(run, k)
    if health.condition is not Condition.STALLED:
        return standing
    since = "" if health.since_step is None else f" since step {whole(health.since_step)}"
    return f"{standing} (stalled{since})"


def _failures(run: Run) -> str:
    failed = [k for k in range(len(run.competitors)) if is_diverged(run, k)]
    if not failed:
        return ""
    if len(failed) == len(run.competitors) > 1:
        what = "; ".join(f"{_mark(run, k)} {spoken(run.competitors[k])}{_where_it_failed(run, k)}" for k in failed)
        every = _NUMBER_WORDS.get(len(failed), f"All {len(failed)}")
        return f"{every} networks diverged: {what}. Reset starts again from the same weights."
    return " ".join(
        f"{_mark(run, k)} **Diverged** {spoken(run.competitors[k])}{_where_it_failed(run, k)}." for k in failed
    )


def _where_it_failed(run: Run, k: int) -> str:
    """Such as " at step 412, where layer 2’s weights went non-finite first"."""
    health = health_of(run, k)
    when = "" if health.since_step is None else f" at step {whole(health.since_step)}"
    if health.layer is None or health.what in ("", "loss"):
        return f"{when}, where the loss went non-finite"
    return f"{when}, where {weight_layer(run, health.layer)}’s {health.what} went non-finite first"


def _damage(run: Run) -> str:
    """What ails a network that still trains: accuracy far below its own best, units that answer nothing any more."""
    told = []
    for k, competitor in enumerate(run.competitors):
        ailments = [text for text in (_fall(run, k), _dead_units(run, k)) if text]
        if ailments and not is_diverged(run, k):
            name = spoken(competitor)[0].upper() + spoken(competitor)[1:]
            told.append(f"{_mark(run, k)} {name}, {' and '.join(ailments)}.")
    return " ".join(told)


def _fall(run: Run, k: int) -> str:
    accuracy = run.history.accuracy[:, k]
    if not has_data(accuracy):
        return ""
    if np.fmax.reduce(accuracy) - last_finite(accuracy) < FALL:
        return ""
    best = int(np.nanargmax(accuracy))
    highest, when = rough_percent(float(accuracy[best])), whole(run.history.step[best])
    return f"accuracy has fallen from its best, {highest} at step {when}"


def _dead_units(run: Run, k: int) -> str:
    dead = run.history.dead[-1, k]
    if not np.fmax.reduce(dead) >= DEAD:  # nor where nothing is known
        return ""
    layer = int(np.nanargmax(dead))
    return f"{rough_percent(float(dead[layer]))} of layer {layer + 1}’s units are dead"


def _movement(run: Run, view: View) -> str:
    if run.history.step[-1] == 0:
        return ""
    moved = run.history.net_displacement[-1, :, view.layer - 1]
    told = compare(run.competitors, moved)
    return f"Layer {view.layer}’s inputs have moved {told}." if told else ""


def _last_intervention(run: Run) -> str:
    if not run.interventions:
        return ""
    last = run.interventions[-1]
    return (
        f"{BY_NAME[last.name].label} {setting_value(last.old)} → {setting_value(last.new)} at step {whole(last.step)}."
    )


def _mark(run: Run, k: int) -> str:
    return "{" + run.competitors[k].name + "}"


# --- phrases ----------------------------------------------------------------------------------------------------------


def spoken(competitor: Competitor) -> str:
    """A competitor's label as it reads in a sentence: "with noisy BN"."""
    return _IN_A_SENTENCE.get(competitor.label, competitor.label)


def names_in_turn(competitors: Sequence[Competitor]) -> list[str]:
    """How each is called in one enumeration: "without BN", then "with it"; after another's name in full."""
    names, before = [], ""
    for one in competitors:
        names.append(_SAID_AGAIN.get(one.label, spoken(one)) if before in _SAID_AGAIN else spoken(one))
        before = one.label
    return names


def listed(texts: Sequence[str]) -> str:
    """Such as "500, 2,000 and 60,000"."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def enumerate_texts(competitors: Sequence[Competitor], texts: Sequence[str | None], of: str = "") -> str:
    """Such as "2.9 without BN, 1.1 with it"; those without a text are left out, `of` follows the first one."""
    told = [(one, text) for one, text in zip(competitors, texts, strict=True) if text]
    names = names_in_turn([one for one, _ in told])
    parts = [f"{text}{'' if turn else of} {names[turn]}" for turn, (_, text) in enumerate(told)]
    return ", ".join(parts)


def compare(competitors: Sequence[Competitor], values: Floats | Sequence[float]) -> str:
    """The same for numbers; one that is not finite is left out."""
    shown = [float(value) for value in values]
    texts = [text if np.isfinite(value) else None for text, value in zip(alike(shown), shown, strict=True)]
    return enumerate_texts(competitors, texts)


def compare_percent(competitors: Sequence[Competitor], shares: Floats | Sequence[float], decimals: int = 1) -> str:
    """The same for shares in [0, 1], as per cent."""
    texts = [percent(float(share), decimals) if np.isfinite(share) else None for share in shares]
    return enumerate_texts(competitors, texts)


def weight_layer(run: Run, layer: int) -> str:
    """A weight layer, counted from 1; the last one makes the ten outputs."""
    return f"layer {layer}" if layer <= run.settings.model.hidden_layers else "the output layer"


def joined(*sentences: str) -> str:
    """Sentences that are not empty, as one text."""
    return " ".join(one for one in sentences if one)


# --- what a run says of one competitor --------------------------------------------------------------------------------


def health_of(run: Run, k: int) -> Health:
    """The condition of competitor number k; training while nothing is known."""
    return run.status.health[k] if k < len(run.status.health) else Health()


def is_diverged(run: Run, k: int) -> bool:
    return health_of(run, k).condition is Condition.DIVERGED


def sight(run: Run, values: Floats) -> float:
    """The size up to which an axis follows a diverged competitor: `SIGHT` times the others and its own beginning.

    On its way to infinity a network leaves every axis, and the others' lines must stay readable. values: [m, k, ...]
    """
    going = [k for k in range(len(run.competitors)) if not is_diverged(run, k)]
    if len(going) == len(run.competitors):
        return float("inf")
    sizes = np.abs(np.where(np.isfinite(values), values, 0))
    return SIGHT * max(float(sizes[:, going].max(initial=0)), float(sizes[:2].max(initial=0)))


def within_sight(run: Run, values: Floats) -> Floats:
    """The same values, NaN where they are out of sight. [m, k, ...]"""
    limit = sight(run, values)
    return values if limit == float("inf") else np.where(np.abs(values) <= limit, values, np.float32(np.nan))


def has_data(values: Floats) -> bool:
    return bool(np.isfinite(values).any())


def last_finite(values: Floats) -> float:
    """The newest finite value of a series, NaN if there is none."""
    if len(values) and np.isfinite(values[-1]):  # as it mostly is
        return float(values[-1])
    known = np.flatnonzero(np.isfinite(values))
    return float(values[known[-1]]) if known.size else float("nan")


def first_finite(values: Floats) -> float:
    """The oldest finite value of a series, NaN if there is none."""
    if len(values) and np.isfinite(values[0]):
        return float(values[0])
    known = np.flatnonzero(np.isfinite(values))
    return float(values[known[0]]) if known.size else float("nan")
