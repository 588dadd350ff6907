"""Why whitening helps: the charts of a linear unit, and the sentence above them."""

import numpy as np

from bnviz.config import RateRule, Treatment, View
from bnviz.figures.whitening_descent import whitening_descent
from bnviz.figures.whitening_inputs import whitening_inputs
from bnviz.figures.whitening_loss import whitening_loss
from bnviz.figures.whitening_parts import rounded, share_text, steps_number
from bnviz.figures.whitening_spectrum import whitening_spectrum
from bnviz.records import TREATMENTS, LinearUnit, Run

__all__ = ["whitening_descent", "whitening_inputs", "whitening_loss", "whitening_sentence", "whitening_spectrum"]

TOLD = (Treatment.RAW, Treatment.STANDARDISED, Treatment.WHITENED)


def whitening_sentence(run: Run, view: View) -> str:
    """What the treatments do to this unit, in numbers computed from it; marks as in `words`."""
    unit = run.linear_unit
    if unit is None:
        return "Measuring a linear unit."
    names = {Treatment.RAW: "raw", Treatment.STANDARDISED: "standardised, as BN does", Treatment.WHITENED: "whitened"}
    conditions = ", ".join(f"**{rounded(float(unit.condition_number[_at(one)]))}** {names[one]}" for one in TOLD)
    return f"Condition number {conditions}. {_steps(unit)}"


def _at(treatment: Treatment) -> int:
    return TREATMENTS.index(treatment)


def _steps(unit: LinearUnit) -> str:
    """How many steps each takes, and who diverges."""
    config = unit.config
    rate = {
        RateRule.SHARED: f"At a learning rate of {config.learning_rate:g} for all",
        RateRule.MULTIPLE: f"At {config.rate_multiple:g} times each one’s largest stable rate",
        RateRule.BEST: "At 2/(λ_max + λ_min) each",
    }[config.rate_rule]
    counts = [
        (steps_number(float(unit.gd_steps[_at(one)])), one) for one in TOLD if np.isfinite(unit.gd_steps[_at(one)])
    ]
    each = ", ".join(f"**{steps}** {one}" for steps, one in counts)
    told = [f"steps to {share_text(config.target)} of the start’s loss: {each}"] if counts else []
    lost = [str(one) for one, is_lost in zip(TREATMENTS, unit.is_diverging, strict=True) if is_lost]
    told += [f"diverging: {', '.join(lost)}"] if lost else []
    return f"{rate}, {'; '.join(told) or 'none of them gets there'}."
