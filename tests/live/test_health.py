"""`/healthz` tells server, scheduler and workers apart, at once, and nothing else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette

from bnviz.live.routes import routes
from bnviz.runs.engine import Engine
from bnviz.runs.readiness import Readiness
from tests.fake_worker import SMALL, Costs, FakeCluster, Workbench, eventually
from tests.live.fakes import FakeHub
from tests.live.harness import served


def asked(readiness: Readiness) -> tuple[int, dict[str, Any]]:
    with served(Starlette(routes=routes(FakeHub, {}, lambda run, view: "", lambda: readiness))) as url:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
    assert answer.headers["cache-control"] == "no-store"
    return answer.status, json.loads(body)


@pytest.mark.parametrize(
    ("readiness", "status", "scheduler", "workers"),
    [
        (Readiness(), 503, "starting", "none"),
        (Readiness("unreachable"), 503, "unreachable", "none"),
        (Readiness("ok"), 503, "ok", "none"),
        (Readiness("ok", workers=2, workers_alive=0), 503, "ok", "none"),
        (Readiness("ok", workers=2, workers_alive=1, runs=(3,)), 200, "ok", "some are silent"),
        (Readiness("ok", workers=2, workers_alive=2, runs=(3, 0)), 200, "ok", "ok"),
    ],
)
def test_each_part_has_its_own_state(readiness: Readiness, status: int, scheduler: str, workers: str) -> None:
    got, body = asked(readiness)
    assert got == status
    assert body["can_train"] is (status == 200)
    assert body["server"] == {"state": "ok"}
    assert body["scheduler"] == {"state": scheduler}
    assert body["workers"]["state"] == workers
    assert body["workers"]["runs"] == list(readiness.runs)
    assert body["versions"].keys() >= {"python", "streamlit", "distributed", "torch"}


@contextmanager
def started(home: Path, cluster: FakeCluster) -> Iterator[Engine]:
    engine = Engine(home, cluster=cluster)
    engine.start()
    try:
        yield engine
    finally:
        engine.close()


def test_the_engine_counts_workers_and_their_runs(tmp_path: Path) -> None:
    cluster = FakeCluster(workers=2, bench=Workbench(Costs(step=0.001)))
    with started(tmp_path, cluster) as engine:
        eventually(lambda: engine.health().can_train)
        for owner in "abc":
            engine.create(owner, SMALL, is_playing=True)
        eventually(lambda: sorted(engine.health().runs) == [1, 2])
        cluster.is_down = True
        for address in list(cluster.lines):
            cluster.kill(address)
        eventually(lambda: engine.health().scheduler == "unreachable")
        assert not engine.health().can_train


def test_a_worker_that_does_not_answer_is_not_alive(tmp_path: Path) -> None:
    stuck = Workbench(Costs(step=0.001))
    with started(tmp_path, FakeCluster(bench=stuck)) as engine:
        run_id = engine.create("me", SMALL, is_playing=True)
        eventually(lambda: engine.hub.status(run_id).step > 10)
        assert engine.health().workers_alive == 1
        stuck.costs.step = 8.0  # the training thread hangs in a step, and with it what is asked of it
        eventually(lambda: engine.health().workers_alive == 0)
        assert engine.health().workers == 1
        assert not engine.health().can_train
        stuck.costs.step = 0.001


def test_it_names_no_address_no_path_and_no_visitor(tmp_path: Path) -> None:
    with started(tmp_path, FakeCluster()) as engine:
        run_id = engine.create("the-owners-secret", SMALL)
        eventually(lambda: engine.health().can_train)
        text = json.dumps(asked(engine.health())[1])
    for secret in (run_id, "the-owners-secret", str(tmp_path), "fake://", "/"):
        assert secret not in text
