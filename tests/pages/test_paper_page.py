"""The page on the paper under AppTest: its parts, one at a time, and what each of them says."""

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.runs.engine import Engine
from bnviz.ui.paper import PARTS
from tests.pages.opening import open_page

PAGE = "pages/paper.py"


def opened(**query: str) -> AppTest:
    return open_page(PAGE, **query)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_opens_from_its_link(engine: Engine, part: str) -> None:
    page = opened(part=part)
    assert [title.value for title in page.title] == ["The paper, reproduced"]
    assert page.session_state["part"] == part
    assert not page.error
    assert not page.warning


def test_a_link_shares_the_part_on_screen_and_nothing_of_the_visitors(engine: Engine) -> None:
    page = opened(part="since", present="1")
    (shared,) = [one.value for one in page.code]
    assert shared.endswith("?part=since")
