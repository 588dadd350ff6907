"""Texts of several entries, such as a timeline: each a heading, some paragraphs, and last a line of links into the app.

    ## 2018. Wu & He

    What it says, in one paragraph or a few.

    Here: [Batch size](limits?part=batch_size)

Whatever stands before the first link of that line is for whoever reads the file. A link names a page of `pages/`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from bnviz.errors import DataError
from bnviz.ui.texts import title_and_body

PAGES: Final = Path(__file__).resolve().parents[2] / "pages"
_HEADING: Final = "\n## "
_LINK: Final = re.compile(r"\[([^\]]+)\]\(([a-z]+)(?:\?([^)\s]*))?\)")


@dataclass(frozen=True)
class PageLink:
    """A link to a page of the app, with what its address says besides."""

    label: str
    page: str
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def script(self) -> str:
        return f"pages/{self.page}.py"


@dataclass(frozen=True)
class Entry:
    """One entry: what stands in it, and where in this app it can be seen."""

    heading: str
    paragraphs: tuple[str, ...]
    links: tuple[PageLink, ...]


@dataclass(frozen=True)
class Entries:
    """A text of several entries, in the file's order."""

    title: str
    introduction: str
    entries: tuple[Entry, ...]


@cache
def entries_of(name: str) -> Entries:
    """The text called `name`; `DataError` names the entry in it that is not as it should be."""
    title, body = title_and_body(name)
    introduction, *parts = f"\n{body}".split(_HEADING)
    if not parts:
        raise DataError(f"assets/texts/{name}.md has no entries: each begins with a heading of the second level (##).")
    return Entries(title, introduction.strip(), tuple(_entry(name, part) for part in parts))


def _entry(name: str, part: str) -> Entry:
    heading, _, rest = part.partition("\n")
    *paragraphs, last = [" ".join(one.split()) for one in rest.strip().split("\n\n")]
    links = tuple(PageLink(label, page, dict(parse_qsl(query))) for label, page, query in _LINK.findall(last))
    problem = (
        "has no heading"
        if not heading.strip()
        else "has no text"
        if not paragraphs
        else "ends without a link to a page, such as [Depth](limits?part=depth)"
        if not links
        else next((f"links to the page {one.page}, which there is none of" for one in links if _is_missing(one)), "")
    )
    if problem:
        raise DataError(f"assets/texts/{name}.md: the entry “{heading.strip()}” {problem}: mend it in that file.")
    return Entry(heading.strip(), tuple(paragraphs), links)


def _is_missing(link: PageLink) -> bool:
    return not (PAGES / f"{link.page}.py").is_file()
