"""The live area in a page without Streamlit: a small server, and a page that stands in for the component's host."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse

import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bnviz.live.component import browser_config
from bnviz.live.library import library_for
from bnviz.live.routes import browser_files, library_address, routes
from tests.live.fakes import FakeHub

# `host` does what Streamlit does: hands over data and takes what the component reports.
PAGE = """<!doctype html>
<html lang="en" style="font-size: 14px">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>live area</title>
<style>
  .stApp { color-scheme: light; background: #fff; font-family: "Source Sans", "Source Sans 3", Arial, sans-serif;
    min-height: 100vh }
  .stApp.dark { color-scheme: dark; background: #12161b; color: #e7ebf0 }
  body { margin: 0 }
  main { padding: 108px 24px 16px }
  @media (min-width: 1000px) { main { margin-left: 272px } }
%(css)s
</style>
<div class="stApp"><main id="mount"></main></div>
<script type="module">
  const config = %(config)s;
  const live = await import(config.module);
  const first = %(data)s;
  window.host = {
    triggers: [],
    data: first,
    async restart(runId) {
      this.stop();
      await new Promise((done) => setTimeout(done, 10)); // the area leaves the page before the next one comes
      this.triggers = [];
      this.data = first;
      scrollTo(0, 0);
      document.querySelector(".stApp").className = "stApp";
      document.querySelectorAll("body > :not(.stApp, script)").forEach((one) => one.remove());
      this.show({ run_id: runId });
    },
    show(changes) {
      this.data = { ...this.data, ...changes };
      const stop = live.default({
        parentElement: document.getElementById("mount"),
        data: this.data,
        setTriggerValue: (name, value) => this.triggers.push([name, value]),
        setStateValue: () => {},
      }, config);
      this.stop = stop;
    },
  };
  window.host.show({});
</script>
"""
VIEW = {
    "layer": 3, "unit": 52, "axis": "steps",
    "is_path": False, "is_standardised": False, "is_gradient_standardised": False,
    "batch": 0, "is_surface": False, "is_between": False,
}  # fmt: skip


def page(run_id: str, charts: list[str]) -> str:
    data = {
        "run_id": run_id, "view": VIEW, "charts": charts, "phase": "paused", "directions": "paths", "is_owner": True,
        "is_presenting": False, "library": library_address(library_for(charts)),
    }  # fmt: skip
    css = browser_files()["live.css"]
    return PAGE % {"css": css, "config": json.dumps(browser_config()), "data": json.dumps(data)}


def app(hub: FakeHub, run_id: str, charts: list[str]) -> Starlette:
    text = page(run_id, charts)
    return Starlette(routes=[*routes(lambda: hub), Route("/", lambda request: HTMLResponse(text))])


@contextmanager
def served(application: Starlette, port: int = 0) -> Iterator[str]:
    """The application on a (free) port of the loopback interface, until the block ends; gives its address."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()  # from here on whoever connects waits until the server is there
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


class Client:
    """Asks for paths as they are: nothing is normalised or decompressed on the way."""

    def __init__(self, host: str) -> None:
        self.host = host

    def get(self, path: str, encoding: str = "identity", accept: str = "*/*") -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection(self.host, timeout=20)
        connection.request("GET", path, headers={"Accept-Encoding": encoding, "Accept": accept})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body
