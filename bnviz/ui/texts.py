"""Explanations: Markdown with LaTeX in assets/texts, so that a teacher can edit or translate them without code."""

from functools import cache
from pathlib import Path
from typing import Final

from bnviz.errors import DataError

FOLDER: Final = Path(__file__).resolve().parents[2] / "assets" / "texts"


@cache
def text(name: str) -> str:
    """The explanation called `name`; `DataError` names the file that is missing."""
    path = FOLDER / f"{name}.md"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise DataError(f"The explanation assets/texts/{name}.md is missing: restore it from the repository.") from None


def title_and_body(name: str) -> tuple[str, str]:
    """The first heading of an explanation, and what follows it."""
    heading, _, body = text(name).partition("\n")
    return heading.lstrip("# ").strip(), body.strip()
