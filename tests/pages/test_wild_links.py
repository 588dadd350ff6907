"""Links that nobody wrote in earnest, on every page: it shows, and nothing of the server's inside does."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import BY_KEY
from bnviz.runs import engine as engines
from bnviz.runs.engine import Engine
from tests.fake_worker import FakeCluster
from tests.pages.test_lab_page import ROOT

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "pages").glob("*.py"))
WILD = {
    "nonsense": dict.fromkeys(BY_KEY, "../../etc/passwd"),
    "numbers": dict.fromkeys(BY_KEY, "1e999"),
    "negative": dict.fromkeys(BY_KEY, "-1"),
    "nan": dict.fromkeys(BY_KEY, "nan"),
    "large": dict.fromkeys(BY_KEY, "1024"),
    "somebody's run": {"run": "../../../../etc/passwd", "part": "<script>", "present": "\0", "seed": "٣"},
    "long": {"run": "x" * 5000, "view": "[" * 5000, "part": "é" * 500},
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("runs"), cluster=FakeCluster(workers=0))
    engine.start()
    engines.use_engine(engine)
    yield engine
    engine.close()
    engines.use_engine(None)


@pytest.mark.slow
@pytest.mark.parametrize("script", PAGES)
def test_a_page_takes_any_link(script: str, engine: Engine) -> None:
    for name, query in WILD.items():
        page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
        page.run()
        page.switch_page(script)
        for key, value in query.items():
            page.query_params[key] = value
        page.run()
        assert not page.exception, name
        assert page.title, name
        said = "\n".join(one.value for one in (*page.error, *page.warning, *page.info, *page.toast))
        assert "Traceback" not in said
        assert str(ROOT) not in said
