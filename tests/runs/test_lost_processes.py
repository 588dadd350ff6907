"""Processes that are killed while a run trains: its worker, the scheduler, the server. Real ones, all of them."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bnviz.config import Device
from bnviz.records import Phase
from bnviz.runs.engine import Engine
from bnviz.runs.store import Store
from bnviz.worker import checkpoints
from tests.fake_worker import SMALL, eventually
from tests.runs.processes import cluster_processes, worker_of, workers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]

ROOT = Path(__file__).resolve().parents[2]
ME = "me"
PATIENCE_SECONDS = 60.0
# What depends on when it was measured, and not on the training alone.
OF_THE_MEASUREMENTS = ("compute_time", "means", "update_ratio", "drift_previous", "drift_path", "chance")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def engine(home: Path) -> Iterator[Engine]:
    engine = Engine(home, workers=2)
    engine.start()
    eventually(lambda: engine.is_ready and len(workers()) == 2, PATIENCE_SECONDS)
    yield engine
    engine.close()


def step_of(engine: Engine, run_id: str) -> int:
    return engine.hub.status(run_id).step


def weights(home: Path, run_id: str) -> dict[str, bytes]:
    """Every tensor that the training alone determines, of a run on disk."""
    checkpoint = Store(home).load(run_id).checkpoint
    assert checkpoint is not None
    tensors = checkpoints.decode(bytes(checkpoint.blob))[0]
    return {
        name: tensor.numpy().tobytes()
        for name, tensor in tensors.items()
        if name.rpartition("/")[2] not in OF_THE_MEASUREMENTS
    }


def test_a_run_whose_worker_is_killed_ends_with_the_very_weights_of_one_that_was_left_alone(
    engine: Engine, home: Path
) -> None:
    settings = SMALL.replace(momentum=0.9, seed=5, device=Device.CPU)
    killed, straight = engine.create(ME, settings), engine.create(ME, settings)
    engine.set_speed(killed, ME, 100.0)
    with engine.hub.watching(killed):
        engine.play(killed, ME)
        eventually(lambda: step_of(engine, killed) > 300, PATIENCE_SECONDS)
        worker = worker_of(engine, killed, workers())
        worker.kill()
        at = step_of(engine, killed)
        eventually(lambda: step_of(engine, killed) > at + 50, PATIENCE_SECONDS)
        engine.pause(killed, ME)
    eventually(lambda: engine.hub.status(killed).phase is Phase.PAUSED, PATIENCE_SECONDS)
    engine.stop(killed, ME)
    end = step_of(engine, killed)
    while (left := end - step_of(engine, straight)) > 0:
        target = step_of(engine, straight) + min(left, 1000)
        engine.step(straight, ME, min(left, 1000))
        eventually(lambda target=target: step_of(engine, straight) == target, PATIENCE_SECONDS)  # type: ignore[misc]
    engine.stop(straight, ME)
    expected = weights(home, straight)
    assert len(expected) > 10
    assert weights(home, killed) == expected
    steps = engine.hub.get(killed).history.step
    assert (steps[1:] > steps[:-1]).all()


def test_a_scheduler_that_is_killed_is_said_so_and_started_again_and_runs_go_on(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL, is_playing=True)
    with engine.hub.watching(run_id):
        eventually(lambda: step_of(engine, run_id) > 3000, PATIENCE_SECONDS)
        old = cluster_processes()
        old[0].kill()
        eventually(lambda: "has ended" in engine.hub.status(run_id).notice, PATIENCE_SECONDS)
        eventually(lambda: engine.hub.status(run_id).phase is Phase.PLAYING, PATIENCE_SECONDS)
        steps = engine.hub.get(run_id).history.step
        assert steps[0] == 0
        assert steps[-1] > 0  # from its checkpoint, not from the start
        assert "has ended" not in engine.hub.status(run_id).notice
        eventually(lambda: step_of(engine, run_id) > steps[-1], PATIENCE_SECONDS)
    assert psutil.wait_procs(old, PATIENCE_SECONDS)[1] == []
    engine.stop(run_id, ME)


SERVER = """
import sys, time
from pathlib import Path
from bnviz.config import Settings
from bnviz.runs.engine import Engine

engine = Engine(Path(sys.argv[1]), workers=1)
engine.start()
small = Settings().replace(hidden_layers=1, width=10)
playing = engine.create("me", small, is_playing=True)
resting = engine.create("me", small)
engine.step(resting, "me", 7)
print(playing, resting, flush=True)
time.sleep(600)
"""


def test_every_run_of_a_server_that_was_killed_is_listed_whole_and_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def saved_step(run_id: str) -> int:
        return store.load(run_id).run.status.step if run_id in store.catalogue() else 0

    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        try:
            assert server.stdout is not None
            playing, resting = server.stdout.readline().split()
            eventually(lambda: saved_step(resting) == 7, PATIENCE_SECONDS)
            first = saved_step(playing)
            eventually(lambda: saved_step(playing) > first, PATIENCE_SECONDS)
            promised = saved_step(playing)
        finally:
            server.send_signal(signal.SIGKILL)
    engine = Engine(tmp_path, workers=1)
    engine.start()
    try:
        eventually(lambda: set(engine.runs_of(ME)) == {playing, resting}, PATIENCE_SECONDS)
        run = engine.hub.get(playing)
        assert run.status.phase is Phase.ASLEEP
        assert run.history.step[0] == 0
        assert run.status.step >= promised
        assert engine.hub.get(resting).history.step.tolist() == list(range(8))
        engine.play(playing, ME)
        engine.step(resting, ME, 1)
        eventually(lambda: step_of(engine, playing) > run.status.step, PATIENCE_SECONDS)
        eventually(lambda: engine.hub.get(resting).history.step.tolist() == list(range(9)), PATIENCE_SECONDS)
        steps = engine.hub.get(playing).history.step
        assert (steps[1:] > steps[:-1]).all()
    finally:
        engine.close()
