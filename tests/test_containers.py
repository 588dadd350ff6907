"""The container files: what compose.yaml starts, started here as plain processes, with the proxy before the servers."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.app_server import free_port
from tests.fake_worker import eventually
from tests.runs.test_dask_cluster import process

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 90.0
WEB = ("web1", "web2")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    return services


def test_only_the_proxy_is_reached_from_outside_and_only_from_this_machine_unless_asked(
    services: dict[str, Any],
) -> None:
    assert [name for name, one in services.items() if "ports" in one] == ["proxy"]
    assert services["proxy"]["ports"] == ["${BNVIZ_PUBLISH:-127.0.0.1:8501}:8501"]


def test_every_part_of_the_cluster_has_tls_and_workers_keep_bnvizs_rules(services: dict[str, Any]) -> None:
    for name in ("scheduler", "worker", "worker-gpu"):
        assert {"--tls-ca-file", "--tls-cert", "--tls-key"} <= set(services[name]["command"])
    for name in ("worker", "worker-gpu"):
        command = services[name]["command"]
        assert command[command.index("--preload-nanny") + 1] == "bnviz.worker.preload"
        assert command[command.index("--nthreads") + 1] == "1"
        assert command[command.index("--memory-limit") + 1] == "0"


def test_servers_keep_their_runs_apart_and_their_names_are_the_proxys(services: dict[str, Any]) -> None:
    proxy = (ROOT / "haproxy.cfg").read_text("utf-8")
    homes = [volume for name in WEB for volume in services[name]["volumes"] if volume.endswith(":/runs")]
    assert len(set(homes)) == len(WEB)
    for name in WEB:
        assert services[name]["environment"]["BNVIZ_SERVER_NAME"] == name
        assert f"use-server {name} if {{ urlp(run) -m beg {name}- }}" in proxy
        assert f"server {name} {name}:8501 cookie {name}" in proxy


def test_the_image_holds_the_program_and_nothing_else() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert kept == {"app.py", "assets", "bnviz", "pages", "requirements.txt", "LICENSE", ".streamlit"}
    assert all((ROOT / one).exists() for one in kept)
    assert "USER bnviz" in (ROOT / "Dockerfile").read_text("utf-8")


class Running:
    """The services of compose.yaml as processes on this machine's loopback."""

    def __init__(self, services: dict[str, Any], folder: Path, stack: ExitStack) -> None:
        self.ports = {name: free_port() for name in ("scheduler", "proxy", *WEB)}
        self._services, self._folder, self._stack = services, folder, stack

    def here(self, text: str) -> str:
        """What a service is told, with this machine in place of the containers."""
        text = text.replace("tls://scheduler:8786", f"tls://127.0.0.1:{self.ports['scheduler']}")
        return text.replace("/tls", str(self._folder / "tls")).replace("0.0.0.0", "127.0.0.1")

    def start(self, name: str, **ports: int) -> Any:
        service = self._services[name]
        command = [
            self.here(part) if "://" not in part or "scheduler:" in part else part for part in service["command"]
        ]
        command = [part.replace("tls://0.0.0.0", "tls://127.0.0.1") for part in command]
        for old, new in ports.items():
            command = [part.replace(old.strip("_"), str(new)) for part in command]
        environment = {key: self.here(value) for key, value in service.get("environment", {}).items()}
        command = [sys.executable, *(command[1:] if command[0] == "python" else ["-m", *command])]
        more = {"BNVIZ_HOME": str(self._folder / name)}
        log = self._folder / f"{name}.log"
        return self._stack.enter_context(process(command, log, **environment, **more))

    def get(self, name: str, path: str, **headers: str) -> tuple[int, str, str]:
        """Status, cookie that is set, and body."""
        connection = HTTPConnection("127.0.0.1", self.ports[name], timeout=20)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, ", ".join(answer.headers.get_all("set-cookie", [])), answer.read().decode()
        except OSError:
            return 0, "", ""
        finally:
            connection.close()


@pytest.fixture(scope="module")
def running(services: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as stack:
        running = Running(services, tmp_path_factory.mktemp("services"), stack)
        assert running.start("certificates").wait(PATIENCE_SECONDS) == 0
        running.start("scheduler", _8786=running.ports["scheduler"])
        running.start("worker")
        for name in WEB:
            running.start(name, _8501=running.ports[name])
        yield running


@pytest.mark.slow
def test_the_services_find_each_other(running: Running) -> None:
    for name in WEB:
        eventually(lambda name=name: running.get(name, "/healthz")[0] == 200, PATIENCE_SECONDS)  # type: ignore[misc]
        body = json.loads(running.get(name, "/healthz")[2])
        assert (body["scheduler"]["state"], body["workers"]["alive"]) == ("ok", 1)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy: apt-get install haproxy")
def test_a_visitor_stays_on_one_server_and_a_link_leads_to_the_server_of_its_run(
    running: Running, tmp_path: Path
) -> None:
    text = (ROOT / "haproxy.cfg").read_text("utf-8").replace("bind :8501", f"bind 127.0.0.1:{running.ports['proxy']}")
    for name in WEB:
        text = text.replace(f"{name}:8501", f"127.0.0.1:{running.ports[name]}")
    config = tmp_path / "haproxy.cfg"
    config.write_text(text)
    for name in WEB:
        eventually(lambda name=name: running.get(name, "/_stcore/health")[0] == 200, PATIENCE_SECONDS)  # type: ignore[misc]
    with process(["haproxy", "-db", "-f", str(config)], tmp_path / "haproxy.log"):
        eventually(lambda: running.get("proxy", "/")[0] == 200, PATIENCE_SECONDS)
        for name in WEB:
            cookie = f"bnviz_server={name}"
            for query in (f"run={name}-0123456789abcdef", f"sweep=sweep-{name}-0123456789abcdef"):
                assert cookie in running.get("proxy", f"/?{query}", Accept="text/html")[1]
            # With the cookie of one server, and no link, it stays there: no other cookie is set.
            for _ in range(4):
                status, again, _ = running.get("proxy", "/", Cookie=cookie)
                assert status == 200
                assert "bnviz_server" not in again
            other = next(one for one in WEB if one != name)
            link = f"/?run={other}-0123456789abcdef"
            assert f"bnviz_server={other}" in running.get("proxy", link, Cookie=cookie, Accept="text/html")[1]
