"""A cluster of somebody's own: a scheduler and workers as separate processes, TLS between all of them."""

import gc
import os
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from bnviz import data
from bnviz.config import Device, SweepAxis, SweepConfig
from bnviz.errors import BnvizError, ConfigError
from bnviz.records import Phase, Sweep, SweepPhase
from bnviz.runs.engine import Engine
from bnviz.runs.tls import VARIABLES, address_of, security_from_environment
from bnviz.training import train_cells
from bnviz.worker.certificates import ROLES, write_certificates
from tests.app_server import free_port
from tests.fake_worker import SMALL, eventually
from tests.runs.processes import one_thread

ROOT = Path(__file__).resolve().parents[2]
ME = "me"
PATIENCE_SECONDS = 90.0
MAP = SweepConfig(
    SweepAxis("init_scale", (0.05, 0.5)),
    SweepAxis("learning_rate", (0.1, 0.5, 1.0, 3.0)),
    SMALL.replace(device=Device.CPU),
    steps=300,
    seeds=2,
)
DASK = [sys.executable, "-m", "dask"]
Make = Callable[..., Engine]


@dataclass
class Machines:
    """A scheduler and its workers, each a process as the README starts it."""

    folder: Path
    address: str
    scheduler: "subprocess.Popen[bytes]"
    stack: ExitStack

    def add_worker(self, preload: str = "bnviz.worker.preload") -> "subprocess.Popen[bytes]":
        return self.stack.enter_context(worker(self.folder, self.address, preload))


@contextmanager
def process(command: list[str], log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process, and what it has started, until the block ends."""
    with log.open("ab") as sink:
        one = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield one
    finally:
        below = psutil.Process(one.pid).children(recursive=True) if one.poll() is None else []
        one.terminate()
        try:
            one.wait(10)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()
        for child in psutil.wait_procs(below, 5)[1]:
            child.kill()


def tls(folder: Path, role: str) -> list[str]:
    files = {"ca-file": "ca.pem", "cert": f"{role}.pem", "key": f"{role}.key"}
    return [part for name, file in files.items() for part in (f"--tls-{name}", str(folder / file))]


@contextmanager
def scheduler(folder: Path, log: Path, *more: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    port = free_port()
    command = [*DASK, "scheduler", "--host", "tls://127.0.0.1", "--port", str(port)]
    quiet = ["--dashboard-address", "127.0.0.1:0"]
    with process([*command, *quiet, *tls(folder, "scheduler"), *more], log) as one:
        yield f"tls://127.0.0.1:{port}", one


@contextmanager
def worker(folder: Path, address: str, preload: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = [*DASK, "worker", address, "--host", "127.0.0.1", "--nthreads", "2", "--memory-limit", "0"]
    quiet = ["--dashboard-address", "127.0.0.1:0", "--local-directory", str(folder / "scratch")]
    # An environment in which Dask's own would be in force: the preload has to change it.
    wrong = {"MALLOC_TRIM_THRESHOLD_": "65536", "OMP_NUM_THREADS": "2"}
    with process(
        [*command, *quiet, *tls(folder, "worker"), "--preload-nanny", preload], folder / "worker.log", **wrong
    ) as one:
        yield one


def answers(address: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    write_certificates(folder)
    return folder


def name_files(monkeypatch: pytest.MonkeyPatch, folder: Path, role: str = "server") -> None:
    files = ("ca.pem", f"{role}.pem", f"{role}.key")
    for variable, file in zip(VARIABLES, files, strict=True):
        monkeypatch.setenv(variable, str(folder / file))


@pytest.fixture
def machines(certificates: Path) -> Iterator[Machines]:
    with ExitStack() as stack:
        address, one = stack.enter_context(scheduler(certificates, certificates / "scheduler.log"))
        eventually(lambda: answers(address), PATIENCE_SECONDS)
        machines = Machines(certificates, address, one, stack)
        for _ in range(2):
            machines.add_worker()
        yield machines


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Started engines, closed after the test."""
    with ExitStack() as stack:

        def made(address: str) -> Engine:
            engine = Engine(tmp_path, scheduler=address)
            stack.callback(engine.close)
            engine.start()
            return engine

        yield made
    # Dask leaves sockets to workers that were killed to the garbage collection, which may come in another test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def step_of(engine: Engine, run_id: str) -> int:
    return engine.hub.status(run_id).step


def notice_of(engine: Engine, run_id: str) -> str:
    return engine.hub.status(run_id).notice


def workers_of(one: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(one.pid).children(recursive=True)
        if "--multiprocessing-fork" in child.cmdline()
    ]


def runs_on(engine: Engine, worker: "subprocess.Popen[bytes]") -> list[str]:
    """The runs that train on this worker."""
    assert engine._dispatcher is not None
    ports = listening_ports(workers_of(worker)[0])
    awake = [one for one in engine._dispatcher._awake.values() if one.is_placed and one.place is not None]
    return [one.run_id for one in awake if one.place and int(one.place.address.rpartition(":")[2]) in ports]


def listening_ports(one: psutil.Process) -> set[int]:
    return {each.laddr.port for each in one.net_connections() if each.status == psutil.CONN_LISTEN}


@pytest.mark.slow
def test_the_lab_runs_on_a_cluster_that_gains_a_worker_and_loses_one(
    machines: Machines, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_files(monkeypatch, machines.folder)
    engine = make(machines.address)
    eventually(lambda: engine.health().workers_alive == 2, PATIENCE_SECONDS)
    runs = [engine.create(ME, SMALL, is_playing=True) for _ in range(3)]
    with ExitStack() as watching:
        for run_id in runs:
            watching.enter_context(engine.hub.watching(run_id))
        for run_id in runs:
            eventually(lambda run_id=run_id: step_of(engine, run_id) > 100, PATIENCE_SECONDS)  # type: ignore[misc]
        third = machines.add_worker()
        eventually(lambda: engine.health().workers_alive == 3, PATIENCE_SECONDS)
        environment = workers_of(third)[0].environ()
        assert "MALLOC_TRIM_THRESHOLD_" not in environment
        assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "1"

        eventually(lambda: runs_on(engine, third) != [], PATIENCE_SECONDS)  # one comes over to the one that is free
        moved = runs_on(engine, third)[0]
        at = step_of(engine, moved)
        eventually(lambda: step_of(engine, moved) > at + 2000, PATIENCE_SECONDS)
        at = step_of(engine, moved)
        os.killpg(third.pid, signal.SIGKILL)  # nanny and worker: nobody starts it again
        eventually(lambda: step_of(engine, moved) > at, PATIENCE_SECONDS)
        history = engine.hub.get(moved).history
        assert history.step[0] == 0
        assert (history.step[1:] > history.step[:-1]).all()
        eventually(lambda: engine.health().workers_alive == 2, PATIENCE_SECONDS)
        for run_id in runs:
            before = step_of(engine, run_id)
            eventually(lambda run_id=run_id, before=before: step_of(engine, run_id) > before, PATIENCE_SECONDS)  # type: ignore[misc]


@pytest.mark.slow
def test_a_sweep_on_a_cluster_outlives_a_worker_and_comes_to_what_its_cells_come_to_alone(
    machines: Machines, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_files(monkeypatch, machines.folder)
    engine = make(machines.address)
    third = machines.add_worker()
    eventually(lambda: engine.health().workers_alive == 3, PATIENCE_SECONDS)
    sweep_id = engine.start_sweep(ME, MAP)
    eventually(lambda: sweep_of(engine, sweep_id).status.runs_done > 0, PATIENCE_SECONDS)
    os.killpg(third.pid, signal.SIGKILL)
    eventually(lambda: sweep_of(engine, sweep_id).status.phase is SweepPhase.FINISHED, PATIENCE_SECONDS)
    sweep = sweep_of(engine, sweep_id)
    assert sweep.status.cells_failed == 0
    with one_thread():
        for cell in MAP.cells:
            *_, (alone,) = train_cells(MAP, [cell], data.load())
            assert np.array_equal(sweep.accuracy[:, cell.row, cell.column, cell.seed], alone.accuracy)


def sweep_of(engine: Engine, sweep_id: str) -> Sweep:
    sweep = engine.hub.get(sweep_id).sweep
    assert sweep is not None
    return sweep


@pytest.mark.slow
def test_a_scheduler_that_ends_is_named_on_the_page_and_the_run_waits_for_it(
    certificates: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_files(monkeypatch, certificates)
    with ExitStack() as stack:
        address, one = stack.enter_context(scheduler(certificates, certificates / "scheduler.log"))
        first = worker(certificates, address, "bnviz.worker.preload")
        stack.enter_context(first)
        engine = make(address)
        run_id = engine.create(ME, SMALL, is_playing=True)
        stack.enter_context(engine.hub.watching(run_id))
        eventually(lambda: step_of(engine, run_id) > 1000, PATIENCE_SECONDS)
        one.kill()
        eventually(lambda: "cluster" in notice_of(engine, run_id), PATIENCE_SECONDS)
        assert engine.hub.status(run_id).phase is Phase.QUEUED
        eventually(lambda: engine.health().scheduler == "unreachable", PATIENCE_SECONDS)
        port = address.rpartition(":")[2]
        again = [*DASK, "scheduler", "--host", "tls://127.0.0.1", "--port", port, "--dashboard-address", "127.0.0.1:0"]
        stack.enter_context(process([*again, *tls(certificates, "scheduler")], certificates / "scheduler.log"))
        stack.enter_context(worker(certificates, address, "bnviz.worker.preload"))
        eventually(lambda: engine.hub.status(run_id).phase is Phase.PLAYING, PATIENCE_SECONDS)
        eventually(lambda: engine.hub.get(run_id).history.step[-1:].sum() > 0, PATIENCE_SECONDS)


# --- what does not match ----------------------------------------------------------------------------------------------

OTHER_VERSIONS = """
import distributed.versions as versions
told = versions.get_package_info
if told.__name__ != "other":  # Dask loads a file twice
    def other(packages, told=told):
        return told(packages) | {"distributed": "2019.1.0"}
    versions.get_package_info = other
"""


def trouble_of(engine: Engine) -> str:
    """What is said on the page of a new run, once the cluster has been tried."""
    run_id = engine.create(ME, SMALL)
    eventually(lambda: notice_of(engine, run_id) not in {"", "Training is starting."}, PATIENCE_SECONDS)
    return notice_of(engine, run_id)


@pytest.mark.slow
def test_a_certificate_of_another_authority_is_refused_with_both_sides_named(
    machines: Machines, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write_certificates(other, "another lab")
    name_files(monkeypatch, other)
    text = trouble_of(make(machines.address))
    assert "'bnviz cluster: scheduler', signed by 'bnviz cluster'" in text
    assert "it trusts 'another lab'" in text
    assert str(other) not in text


@pytest.mark.slow
def test_a_scheduler_that_does_not_take_this_servers_certificate_is_named_with_it(
    machines: Machines, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write_certificates(other, "another lab")
    name_files(monkeypatch, other)
    monkeypatch.setenv("BNVIZ_TLS_CA", str(machines.folder / "ca.pem"))
    text = trouble_of(make(machines.address))
    assert "'bnviz cluster: scheduler'" in text
    assert "does not accept this server's certificate of 'another lab: server'" in text


@pytest.mark.slow
def test_a_scheduler_of_other_versions_is_refused_with_both_named(
    certificates: Path, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name_files(monkeypatch, certificates)
    preload = tmp_path / "other_versions.py"
    preload.write_text(OTHER_VERSIONS)
    with scheduler(certificates, tmp_path / "scheduler.log", "--preload", str(preload)) as (address, _):
        eventually(lambda: answers(address), PATIENCE_SECONDS)
        text = trouble_of(make(address))
    assert "This server has distributed 20" in text
    assert f"the scheduler at {address} has distributed 2019.1.0" in text


@pytest.mark.slow
def test_workers_of_other_versions_are_refused_with_both_named(
    certificates: Path, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name_files(monkeypatch, certificates)
    preload = tmp_path / "other_versions.py"
    preload.write_text(OTHER_VERSIONS)
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", str(preload))  # the worker's own process
    with ExitStack() as stack:
        address, _ = stack.enter_context(scheduler(certificates, tmp_path / "scheduler.log"))
        eventually(lambda: answers(address), PATIENCE_SECONDS)
        stack.enter_context(worker(certificates, address, "bnviz.worker.preload"))
        text = trouble_of(make(address))
    assert "This server has distributed 20" in text
    assert "and the worker at tls://127.0.0.1:" in text
    assert "has distributed 2019.1.0" in text


def test_a_scheduler_that_is_not_there_is_said_so(
    certificates: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_files(monkeypatch, certificates)
    address = f"tls://127.0.0.1:{free_port()}"
    engine = make(address)
    assert f"The cluster at {address} cannot be reached" in trouble_of(engine)
    assert engine.health().scheduler == "unreachable"


def test_tls_files_that_are_missing_are_named_by_their_variable_and_not_by_their_path(
    certificates: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_files(monkeypatch, certificates)
    monkeypatch.setenv("BNVIZ_TLS_KEY", "/nowhere/at/all.key")
    text = trouble_of(make("tls://127.0.0.1:1"))
    assert "BNVIZ_TLS_KEY" in text
    assert "nowhere" not in text
    monkeypatch.delenv("BNVIZ_TLS_KEY")
    with pytest.raises(ConfigError, match="BNVIZ_TLS_KEY is not set"):
        security_from_environment()


def test_a_key_of_another_certificate_is_said_so(
    certificates: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_files(monkeypatch, certificates)
    monkeypatch.setenv("BNVIZ_TLS_KEY", str(certificates / "worker.key"))
    assert "TLS files of this server cannot be used" in trouble_of(make("tls://127.0.0.1:1"))


@pytest.mark.parametrize(
    "address",
    ["", "tls://", "127.0.0.1:8786", "https://host:1", "tls://host", "tls://host:99999", "tls://a b:1/x", "tls://u@h:1",
     "tcp://elsewhere:8786", "tls://[::1", "file:///etc/passwd"],
)  # fmt: skip
def test_an_address_that_is_no_encrypted_schedulers_is_refused(address: str) -> None:
    with pytest.raises(BnvizError, match="BNVIZ_SCHEDULER"):
        address_of(address)


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_the_documented_command_writes_keys_for_its_user_alone_and_never_over_others(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bnviz.worker.certificates", str(tmp_path / "tls")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    names = {path.name for path in (tmp_path / "tls").iterdir()}
    assert names == {"ca.pem"} | {f"{role}.{kind}" for role in ROLES for kind in ("pem", "key")}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()} == {0o600}
    before = (tmp_path / "tls" / "ca.pem").read_bytes()
    again = subprocess.run(command, cwd=ROOT, check=True, timeout=60, capture_output=True, text=True)
    assert "exists" in again.stdout
    assert (tmp_path / "tls" / "ca.pem").read_bytes() == before
