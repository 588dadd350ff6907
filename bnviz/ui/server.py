"""What lives as long as the server: the engine, and a garbage collection that nobody notices."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from streamlit.runtime.pages_manager import PagesManager
from streamlit.watcher import polling_path_watcher

from bnviz.runs.engine import engine
from bnviz.ui.gate import attend

START_UP_SECONDS: Final = 5.0
COLLECT_EVERY_SECONDS: Final = 30.0
CONFIG_SECONDS: Final = 5.0


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    """Start the engine with the server and end it with the server.

    Full collections stop everybody, so what start-up has allocated is frozen out of them, Streamlit's own after every
    script run are off (.streamlit/config.toml), and the young generations are collected here at a calm pace.
    """
    # Until app.py has called st.navigation once, Streamlit would run pages/ by itself, without app.py around them: a
    # link to one of them may be the first request that the server gets.
    PagesManager.uses_pages_directory = False
    # Streamlit looks at each of its configuration files five times a second, whatever server.fileWatcherType says.
    polling_path_watcher._POLLING_PERIOD_SECS = CONFIG_SECONDS  # type: ignore[misc]
    attend(asyncio.get_running_loop())
    the_engine = engine()
    the_engine.start()
    collecting = asyncio.create_task(_collect())
    try:
        yield
    finally:
        collecting.cancel()
        with suppress(asyncio.CancelledError):
            await collecting
        await asyncio.to_thread(the_engine.close)


async def _collect() -> None:
    await asyncio.sleep(START_UP_SECONDS)
    gc.collect()
    gc.freeze()
    while True:
        await asyncio.sleep(COLLECT_EVERY_SECONDS)
        gc.collect(1)
