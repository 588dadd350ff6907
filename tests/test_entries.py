"""Texts of several entries: how they are read, what is wrong with one that cannot be, and those that ship."""

import re
from pathlib import Path

import pytest

from bnviz.errors import DataError
from bnviz.ui import texts
from bnviz.ui.entries import PAGES, PageLink, entries_of
from bnviz.ui.limits import PARTS as LIMITS_PARTS
from bnviz.ui.paper import PARTS as PAPER_PARTS
from bnviz.ui.since import THIS_PAGE, year_and_authors

SHIPPED = ("since", "corrections")
PARTS = {"limits": set(LIMITS_PARTS), "paper": set(PAPER_PARTS), "gradients": {"untrained", "training"}}
REFERENCE = re.compile(r"^\*.+\*, \[.+\]\(https://[^\s)]+\)$")
WHOLE = """# A title

What it is about.

## 2018. Wu & He

One paragraph
of two lines.

And $x^2$.

Here: [Batch size](limits?part=batch_size), [Live lab](lab)
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where texts are looked for, instead of those that ship."""
    monkeypatch.setattr(texts, "FOLDER", tmp_path)
    for cached in (texts.text, entries_of):
        cached.cache_clear()
    yield tmp_path
    for cached in (texts.text, entries_of):
        cached.cache_clear()


def test_a_text_is_a_title_an_introduction_and_its_entries(written: Path) -> None:
    (written / "some.md").write_text(WHOLE, "utf-8")
    found = entries_of("some")
    assert (found.title, found.introduction) == ("A title", "What it is about.")
    (entry,) = found.entries
    assert entry.heading == "2018. Wu & He"
    assert entry.paragraphs == ("One paragraph of two lines.", "And $x^2$.")
    assert entry.links == (PageLink("Batch size", "limits", {"part": "batch_size"}), PageLink("Live lab", "lab"))
    assert entry.links[0].script == "pages/limits.py"


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (WHOLE.replace("Here: [Batch size](limits?part=batch_size), [Live lab](lab)\n", ""), "ends without a link"),
        (WHOLE.replace("(lab)", "(nowhere)"), "links to the page nowhere"),
        (WHOLE.replace("One paragraph\nof two lines.\n\nAnd $x^2$.\n\n", ""), "has no text"),
        (WHOLE.replace("## 2018. Wu & He", "## "), "has no heading"),
        (WHOLE[: WHOLE.index("## ")], "has no entries"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_with_its_file_and_heading(
    written: Path, broken: str, problem: str
) -> None:
    (written / "some.md").write_text(broken, "utf-8")
    with pytest.raises(DataError, match=problem) as caught:
        entries_of("some")
    assert "assets/texts/some.md" in caught.value.text


def test_a_missing_text_is_named(written: Path) -> None:
    with pytest.raises(DataError, match=r"assets/texts/some\.md is missing"):
        entries_of("some")


def test_a_heading_of_the_timeline_without_a_year_is_refused(written: Path) -> None:
    (written / "since.md").write_text(WHOLE.replace("2018. Wu", "Wu"), "utf-8")
    with pytest.raises(DataError, match="does not begin with a year"):
        year_and_authors(entries_of("since").entries[0])


@pytest.mark.parametrize("name", SHIPPED)
def test_every_link_of_a_text_that_ships_leads_to_a_page_and_a_part_that_exist(name: str) -> None:
    for entry in entries_of(name).entries:
        for link in entry.links:
            assert (PAGES / f"{link.page}.py").is_file()
            assert set(link.query) <= {"part"}
            assert link.query.get("part") in {None} | PARTS.get(link.page, set()), entry.heading
            assert link.page != THIS_PAGE or link.query["part"] in PAPER_PARTS


def test_the_timeline_goes_from_2015_on_each_entry_with_its_reference_and_one_sentence_or_two() -> None:
    entries = entries_of("since").entries
    years = [int(year_and_authors(one)[0]) for one in entries]
    assert years[0] == 2015
    assert years == sorted(years)
    for one in entries:
        reference, sentence = one.paragraphs
        assert REFERENCE.match(reference), one.heading
        assert sentence.endswith(".")
        assert len(sentence) < 260, one.heading


def test_no_paper_stands_twice_in_the_timeline() -> None:
    references = [one.paragraphs[0] for one in entries_of("since").entries]
    assert len(set(references)) == len(references)


def test_formulas_of_the_texts_are_closed() -> None:
    for name in SHIPPED:
        for entry in entries_of(name).entries:
            for paragraph in entry.paragraphs:
                assert paragraph.count("$") % 2 == 0, paragraph
