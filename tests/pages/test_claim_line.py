"""The line in the lab that says which claim of the paper its run shows, under AppTest."""

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import CLAIM_KEY, ClaimRun, Settings, claim_from_query, to_query
from bnviz.runs.engine import Engine
from bnviz.ui.claim_runs import runs_of
from tests.pages.test_lab_page import ROOT

KEY = "dismiss-claim"


def settings_of(name: str) -> Settings:
    return runs_of(name)[0].settings


def opened(settings: Settings, claim: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    for key, value in (to_query(settings) | {CLAIM_KEY: claim}).items():
        page.query_params[key] = value
    return page.run()


def is_said(page: AppTest) -> bool:
    lines = [one for one in page.markdown if one.value.startswith("**It needs less care at the start?**")]
    return len(lines) == len([one for one in page.button if one.key == KEY]) == 1


def test_a_link_to_a_claims_settings_says_which_claim_and_what_to_watch(engine: Engine) -> None:
    page = opened(settings_of("less-care"), "less-care")
    assert is_said(page)
    assert not page.warning


def test_the_line_is_dismissed_and_its_claim_leaves_the_address(engine: Engine) -> None:
    page = opened(settings_of("less-care"), "less-care")
    (button,) = [one for one in page.button if one.key == KEY]
    button.click().run()
    assert not is_said(page)
    assert CLAIM_KEY not in page.query_params
    page.run()
    assert not is_said(page)


@pytest.mark.parametrize(("changes", "stays"), [({"seed": 7}, True), ({"learning_rate": 0.01}, False)])
def test_the_line_stays_with_another_seed_and_goes_with_any_other_setting(
    engine: Engine, changes: dict[str, float], stays: bool
) -> None:
    assert is_said(opened(settings_of("less-care").replace(**changes), "less-care")) is stays


@pytest.mark.parametrize("bad", ["nonsense", "less-care-plain", "x" * 500])
def test_a_claim_that_there_is_not_falls_back_with_a_notice(engine: Engine, bad: str) -> None:
    page = opened(settings_of("less-care"), bad)
    assert not page.exception
    (notice,) = [one.value for one in page.warning]
    assert notice.startswith(f"The link asks for {CLAIM_KEY}={bad[:40]}")
    assert "which is not one of faster, " in notice
    assert CLAIM_KEY not in page.query_params
    assert not is_said(page)


def test_a_link_names_every_run_of_every_claim_or_none() -> None:
    assert claim_from_query({}) == (None, [])
    for one in ClaimRun:
        assert claim_from_query({CLAIM_KEY: str(one)}) == (one, [])


def test_the_links_that_are_shared_carry_the_claim(engine: Engine) -> None:
    page = opened(settings_of("less-care"), "less-care")
    (share,) = [one for one in page.button if one.label == "Share"]
    share.click().run()
    links = [one.value for one in page.code]
    assert links
    assert all(f"{CLAIM_KEY}=less-care" in one for one in links)
