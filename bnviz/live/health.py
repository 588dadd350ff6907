"""`/healthz`: whether the lab can train, for a proxy or a container's health check; it never waits for the cluster."""

import platform
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from bnviz.runs.readiness import Readiness

PACKAGES: Final = ("streamlit", "plotly", "distributed", "torch", "numpy")  # torch is not imported for it


def health_route(readiness: Callable[[], Readiness]) -> Callable[[Request], Any]:
    """The endpoint: 200 while there is a worker to train on and 503 while there is none, with each part's own state."""

    async def health(_: Request) -> JSONResponse:
        now = readiness()
        body = _parts(now) | {"versions": _versions()}
        return JSONResponse(body, 200 if now.can_train else 503, headers={"Cache-Control": "no-store"})

    return health


def _parts(now: Readiness) -> dict[str, Any]:
    workers = "ok" if now.workers_alive == now.workers > 0 else "some are silent" if now.workers_alive else "none"
    return {
        "can_train": now.can_train,
        "server": {"state": "ok"},
        "scheduler": {"state": now.scheduler},
        "workers": {
            "state": workers,
            "count": now.workers,
            "alive": now.workers_alive,
            "runs": list(now.runs),
            "runs_waiting": now.runs_waiting,
        },
    }


@cache
def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
