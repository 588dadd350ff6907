"""The engine with its real parts: a child process with Dask, TLS, and workers that train on MNIST."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import psutil
import pytest

from bnviz.config import Device, HyperParams, Settings
from bnviz.records import MEASURES, Phase
from bnviz.runs.child import Child
from bnviz.runs.cluster import DaskCluster
from bnviz.runs.engine import Engine
from bnviz.runs.store import Store
from bnviz.worker import checkpoints, handover, wire
from bnviz.worker.cluster import NICENESS
from bnviz.worker.wire import Wire
from tests.fake_worker import SMALL, eventually
from tests.runs.processes import cluster_processes, workers

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ME = "me"
WORKERS = 2
START_SECONDS = 60.0
END_SECONDS = 30.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def engine(home: Path) -> Iterator[Engine]:
    engine = Engine(home, workers=WORKERS)
    engine.start()
    eventually(lambda: engine.is_ready, START_SECONDS)
    yield engine
    engine.close()


def stepped(engine: Engine, run_id: str, count: int) -> None:
    """Take some steps and wait for the measurement at the last of them."""
    target = engine.hub.status(run_id).step + count
    engine.step(run_id, ME, count)
    eventually(lambda: engine.hub.get(run_id).history.step[-1:].tolist() == [target], START_SECONDS)


def test_real_networks_learn_from_real_images(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL, is_playing=True)
    with engine.hub.watching(run_id):
        eventually(lambda: engine.hub.status(run_id).step >= 60, START_SECONDS)
    engine.pause(run_id, ME)
    eventually(lambda: engine.hub.get(run_id).history.step[-1] == engine.hub.status(run_id).step, START_SECONDS)
    eventually(lambda: bool(engine.hub.get(run_id).history.has_accuracy[-1]), START_SECONDS)
    accuracy = engine.hub.get(run_id).history.accuracy
    assert accuracy[0].max() < 0.25
    assert accuracy[-1, 1] > 0.5  # with BN
    assert engine.hub.status(run_id).device
    engine.stop(run_id, ME)


def test_every_process_listens_on_this_machine_alone(engine: Engine) -> None:
    listening = [
        connection.laddr.ip
        for process in cluster_processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_one_worker_a_core_with_one_thread_and_its_memory_left_alone(engine: Engine) -> None:
    eventually(lambda: len(workers()) == WORKERS)  # the first has the machine to itself for a while
    for worker in workers():
        environment = worker.environ()
        assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "1"
        assert "MALLOC_TRIM_THRESHOLD_" not in environment


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has priority classes")
def test_training_gives_way_to_whoever_shows_it(engine: Engine) -> None:
    assert min(process.nice() for process in cluster_processes()) >= NICENESS > psutil.Process().nice()


@pytest.mark.skipif(sys.platform == "win32", reason="sessions are POSIX's; Windows has process groups")
def test_the_terminals_ctrl_c_does_not_reach_the_cluster(engine: Engine) -> None:
    for process in cluster_processes():
        assert os.getsid(process.pid) != os.getsid(0)


def test_a_run_that_slept_in_between_is_bitwise_the_one_that_did_not(engine: Engine, home: Path) -> None:
    settings = SMALL.replace(momentum=0.9, seed=11, device=Device.CPU)
    interrupted, straight = engine.create(ME, settings), engine.create(ME, settings)
    stepped(engine, interrupted, 4)
    engine.stop(interrupted, ME)
    assert engine.hub.status(interrupted).phase is Phase.ASLEEP
    stepped(engine, interrupted, 4)
    stepped(engine, straight, 8)
    for run_id in (interrupted, straight):
        engine.stop(run_id, ME)
    one, other = (Store(home).load(run_id) for run_id in (interrupted, straight))
    assert one.run.history.step.tolist() == other.run.history.step.tolist() == list(range(9))
    for name in set(MEASURES) - {"compute_seconds"}:
        first, second = getattr(one.run.history, name), getattr(other.run.history, name)
        if name == "accuracy":  # when there is time for it, also at the first steps
            both = one.run.history.has_accuracy & other.run.history.has_accuracy
            first, second = first[both], second[both]
        assert np.array_equal(first, second, equal_nan=True), name
    assert one.checkpoint is not None
    assert other.checkpoint is not None
    tensors, expected = (checkpoints.decode(bytes(saved.checkpoint.blob))[0] for saved in (one, other))
    assert tensors.keys() == expected.keys()
    for name in tensors.keys() - {"compute_time"}:
        assert tensors[name].numpy().tobytes() == expected[name].numpy().tobytes(), name


def test_live_changes_take_effect_while_training(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL, is_playing=True)
    with engine.hub.watching(run_id):
        eventually(lambda: engine.hub.status(run_id).step > 5, START_SECONDS)
        for rate in (0.1, 0.2, 0.3):
            engine.set(run_id, ME, HyperParams(learning_rate=rate))
            eventually(lambda rate=rate: in_force(engine, run_id) == rate, START_SECONDS)  # type: ignore[misc]
    engine.stop(run_id, ME)


def in_force(engine: Engine, run_id: str) -> float:
    interventions = engine.hub.get(run_id).interventions
    return interventions[-1].new if interventions else float("nan")


def test_a_killed_worker_is_replaced_and_its_run_goes_on(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL, is_playing=True)
    with engine.hub.watching(run_id):
        eventually(lambda: engine.hub.status(run_id).step > 5, START_SECONDS)
        for worker in workers():
            worker.kill()
        eventually(lambda: engine.hub.status(run_id).phase is Phase.QUEUED, START_SECONDS)
        eventually(lambda: engine.hub.status(run_id).phase is Phase.PLAYING, START_SECONDS)
        at = engine.hub.status(run_id).step
        eventually(lambda: engine.hub.status(run_id).step > at + 5, START_SECONDS)
    steps = engine.hub.get(run_id).history.step
    assert (steps[1:] > steps[:-1]).all()
    engine.stop(run_id, ME)


def test_a_run_goes_on_where_the_wire_to_its_worker_is_cut(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL, is_playing=True)
    with engine.hub.watching(run_id):
        eventually(lambda: engine.hub.status(run_id).step > 5, START_SECONDS)
        old = wires(engine)
        for one in old:
            engine._loop.call_soon_threadsafe(one.close)
        eventually(lambda: all(one.is_cut for one in old), END_SECONDS)
        at = engine.hub.status(run_id).step
        eventually(lambda: engine.hub.status(run_id).step > at + 5, START_SECONDS)
    assert set(wires(engine)).isdisjoint(old)
    engine.stop(run_id, ME)


def wires(engine: Engine) -> list[Wire]:
    """Those to all workers."""
    assert isinstance(engine._cluster, DaskCluster)
    laid = [line._wire for line in engine._cluster._lines.values()]
    assert None not in laid
    return [one for one in laid if one is not None]


def test_workers_train_also_where_no_wire_can_be_laid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "IS_OFFERED", False)
    engine = Engine(tmp_path, workers=1)
    engine.start()
    try:
        run_id = engine.create(ME, SMALL)
        stepped(engine, run_id, 3)
        assert engine.checkpoint(run_id) is not None
        assert isinstance(engine._cluster, DaskCluster)
        assert [line._wire for line in engine._cluster._lines.values()] == [None]
    finally:
        engine.close()


def test_a_cluster_that_is_killed_is_started_again(engine: Engine) -> None:
    run_id = engine.create(ME, SMALL, is_playing=True)
    with engine.hub.watching(run_id):
        eventually(lambda: engine.hub.status(run_id).step > 5, START_SECONDS)
        old = cluster_processes()
        old[0].kill()
        eventually(lambda: engine.hub.status(run_id).phase is Phase.QUEUED, START_SECONDS)
        eventually(lambda: engine.hub.status(run_id).phase is Phase.PLAYING, START_SECONDS)
    assert psutil.wait_procs(old, END_SECONDS)[1] == []
    engine.stop(run_id, ME)


def test_a_running_cluster_is_used_where_one_is_named(tmp_path: Path) -> None:
    """Its TLS material comes from Dask's own configuration, as for any Dask client."""
    child = Child(workers=1)
    introduction = child.introduction()
    address, tls = introduction.address, introduction.tls
    names = {"ca-file": "tls_ca_file", "client.cert": "tls_client_cert", "client.key": "tls_client_key"}
    with dask.config.set({f"distributed.comm.tls.{key}": tls[name] for key, name in names.items()}):
        engine = Engine(tmp_path, scheduler=address)
        engine.start()
        try:
            run_id = engine.create(ME, SMALL)
            stepped(engine, run_id, 3)
        finally:
            engine.close()
    assert child.is_alive
    child.end()


def test_a_checkpoint_comes_through_the_clusters_folder(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Path] = []
    unpack = handover.unpack

    def noted(pickled: bytes, files: list[str]) -> Any:
        taken.extend(Path(file) for file in files)
        return unpack(pickled, files)

    monkeypatch.setattr(handover, "unpack", noted)
    run_id = engine.create(ME, Settings(), is_playing=True)  # its checkpoint is 1.9 MB
    eventually(lambda: bool(taken), START_SECONDS)
    engine.stop(run_id, ME)
    assert not any(file.exists() for file in taken)
    blob = engine.checkpoint(run_id)
    assert blob is not None
    assert len(blob) > handover.LARGE_BYTES


@pytest.mark.parametrize("end", ["its input ends", "it is killed"])
def test_the_clusters_folder_goes_with_it(end: str) -> None:
    child = Child(workers=1)
    folder = Path(child.introduction().folder)
    assert folder.is_dir()
    process = psutil.Process(child.pid)
    if end == "it is killed":
        process.kill()
        child.end()
    else:
        assert child._process.stdin is not None
        child._process.stdin.close()  # as when the server is killed
        eventually(lambda: not folder.exists(), END_SECONDS)
        child.end()
    assert not folder.exists()


# --- servers that end -------------------------------------------------------------------------------------------------

SERVER = """
import sys, time
from pathlib import Path
from bnviz.config import Device, HyperParams, Settings
from bnviz.errors import BnvizError
from bnviz.runs.engine import Engine

def until(claim):
    while not claim():
        time.sleep(0.01)

engine = Engine(Path(sys.argv[1]), workers=1)
engine.start()
small = Settings().replace(hidden_layers=1, width=10)
run_id = engine.create("me", small, is_playing=True)
until(lambda: engine.hub.status(run_id).step > 5)
print("playing", flush=True)
{end}
"""

END_WELL = """
engine.set(run_id, "me", HyperParams(learning_rate=1.0))
engine.restart(run_id, "me", small.replace(device=Device.CUDA))
engine.restart(run_id, "me", small)
engine.pause(run_id, "me")
until(lambda: engine.hub.get(run_id).contour is not None or engine.hub.status(run_id).step == 0)
engine.stop(run_id, "me")
for checkpoint in Path(sys.argv[1]).rglob("checkpoint-*"):
    checkpoint.write_bytes(b"damaged")
engine.play(run_id, "me")
until(lambda: "cannot be read" in engine.hub.status(run_id).notice)
try:
    engine.play(run_id, "you")
except BnvizError:
    pass
engine.close()
assert "torch" not in sys.modules
print("ended", flush=True)
"""


def server(home: Path, end: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SERVER.format(end=end), str(home)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_word(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline().strip()
    assert line == word, process.stderr.read()


def test_a_server_never_imports_torch_and_says_nothing_while_all_is_well(tmp_path: Path) -> None:
    with server(tmp_path, END_WELL) as process:
        wait_for_word(process, "playing")
        below = cluster_processes(process.pid)
        wait_for_word(process, "ended")
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(END_SECONDS) == 0
    assert psutil.wait_procs(below, END_SECONDS)[1] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_every_process_ends_when_the_server_is_killed(tmp_path: Path) -> None:
    with server(tmp_path, "time.sleep(600)") as process:
        wait_for_word(process, "playing")
        below = cluster_processes(process.pid)
        assert len(below) >= 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert psutil.wait_procs(below, END_SECONDS)[1] == []
