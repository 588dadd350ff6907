"""One engine with one worker for the tests of a page."""

from collections.abc import Iterator

import pytest

from bnviz.runs import engine as engines
from bnviz.runs.engine import Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    the_engine = Engine(home=tmp_path_factory.mktemp("runs"), workers=1)
    the_engine.start()
    engines.use_engine(the_engine)
    yield the_engine
    the_engine.close()
    engines.use_engine(None)
