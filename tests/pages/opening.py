"""How a page is opened under AppTest: through app.py, as a visitor comes to it."""

from streamlit.testing.v1 import AppTest

from tests.pages.test_lab_page import ROOT


def open_page(script: str, **query: str) -> AppTest:
    """A page of the app by its script, with these values in its link."""
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    page.run()
    page.switch_page(script)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page
