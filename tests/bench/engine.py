"""The engine without a page: how fast it starts, how soon a command is in force, what its processes weigh.

    python -m tests.bench.engine          # about a minute, on an otherwise idle machine

Prints what it saw and writes tests/bench/results/engine.json.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bnviz.config import HyperParams, Settings
from bnviz.runs.engine import Engine

RESULTS = Path(__file__).resolve().parent / "results" / "engine.json"
ME = "me"
SETS, RESTARTS, POLLS = 50, 10, 100
RUNS = 4
PACE_SECONDS = 10.0


def until(claim: Callable[[], bool], begun: float) -> float:
    """Wait for a claim to hold; milliseconds since `begun`."""
    while not claim():
        time.sleep(0.001)
    return 1000 * (time.monotonic() - begun)


def set_latencies(engine: Engine, run_id: str) -> list[float]:
    """From the call to the hub's news that a step has the new value."""
    latencies = []
    for number in range(SETS):
        rate = 0.1 + number / 1000
        begun = time.monotonic()
        engine.set(run_id, ME, HyperParams(learning_rate=rate))
        told = lambda rate=rate: any(one.new == rate for one in engine.hub.get(run_id).interventions)  # noqa: E731
        latencies.append(until(told, begun))
        time.sleep(0.1)
    return latencies


def restart_latencies(engine: Engine, run_id: str) -> list[float]:
    """From the call to the first measured point in the hub."""
    latencies = []
    for seed in range(RESTARTS):
        begun = time.monotonic()
        engine.restart(run_id, ME, Settings().replace(seed=seed))
        latencies.append(until(lambda: len(engine.hub.get(run_id).history) > 0, begun))
        time.sleep(0.3)
    return latencies


def poll_latencies(engine: Engine) -> list[float]:
    """One poll of every run on a host, while they train."""

    async def poll() -> list[float]:
        hosts = await engine._cluster.hosts()
        latencies = []
        for _ in range(POLLS):
            begun = time.monotonic()
            for host in hosts.values():
                await host.poll(dict.fromkeys(await host.run_ids(), 0))
            latencies.append(1000 * (time.monotonic() - begun) / len(hosts))
            await asyncio.sleep(0.05)
        return latencies

    assert engine._loop is not None
    return asyncio.run_coroutine_threadsafe(poll(), engine._loop).result()


def megabytes() -> dict[str, float]:
    """Resident memory: of this process, the cluster's and each worker's."""
    child = psutil.Process().children()[0]
    workers = [one for one in child.children() if "--multiprocessing-fork" in one.cmdline()]
    return {
        "server": psutil.Process().memory_info().rss / 1e6,
        "cluster": child.memory_info().rss / 1e6,
        "worker": max(one.memory_info().rss for one in workers) / 1e6,
    }


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "p95": statistics.quantiles(values, n=20)[-1]}


def main() -> None:
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as home:
        begun = time.monotonic()
        engine = Engine(Path(home))
        engine.start()
        run_id = engine.create(ME, Settings(), is_playing=True)
        with engine.hub.watching(run_id):
            results["start to ready, ms"] = until(lambda: engine.is_ready, begun)
            results["start to first point, ms"] = until(lambda: len(engine.hub.get(run_id).history) > 0, begun)
            until(lambda: engine.hub.status(run_id).step > 300, begun)
            first = engine.hub.status(run_id).step
            time.sleep(PACE_SECONDS)
            results["steps a second, every probe on"] = (engine.hub.status(run_id).step - first) / PACE_SECONDS
            results["set to in force, ms"] = spread(set_latencies(engine, run_id))
            results["restart to first point, ms"] = spread(restart_latencies(engine, run_id))
            for number in range(1, RUNS):
                engine.create(str(number), Settings(), is_playing=True)
            time.sleep(3)
            results[f"poll of {RUNS} training runs, ms a host"] = spread(poll_latencies(engine))
            results["memory, MB"] = megabytes()
        begun = time.monotonic()
        engine.close()
        results["close, ms"] = 1000 * (time.monotonic() - begun)
    results["torch in the server"] = "torch" in sys.modules
    text = json.dumps(results, indent=1)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
