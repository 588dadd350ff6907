"""Formulas for the browser: LaTeX, as specs have it, to MathML, which every browser draws by itself."""

from functools import lru_cache
from typing import Any

from latex2mathml.converter import convert

from bnviz.live.frames import Spec


@lru_cache(maxsize=2048)  # a walk has the same ones for everybody who watches
def mathml(latex: str) -> str:
    return str(convert(latex.replace(r"\mathcal B", "ℬ"), display="block"))  # browsers have no script letters


def with_formulas(spec: Spec) -> Spec:
    """The same spec, `meta.formulas` in MathML."""
    meta: dict[str, Any] = spec["layout"].get("meta", {})
    if "formulas" not in meta:
        return spec
    converted = meta | {"formulas": [mathml(one) for one in meta["formulas"]]}
    return {**spec, "layout": {**spec["layout"], "meta": converted}}
