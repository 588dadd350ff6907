"""Whatever reaches bnviz from a link, a socket, a route or a caller is taken in, or refused in words.

The HTTP surface is four routes without parameters of a schema, so Hypothesis asks them directly.
"""

import json
import string
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bnviz import config
from bnviz.config import Experiment, HyperParams, Settings
from bnviz.errors import BnvizError
from bnviz.live.frames import decode
from bnviz.live.routes import browser_version, routes
from bnviz.live.socket import CLOSE_BAD_MESSAGE, BadMessageError, Watcher
from bnviz.runs.engine import Engine
from bnviz.runs.readiness import Readiness
from bnviz.runs.store import Store
from bnviz.worker import checkpoints
from tests.fake_worker import SMALL, Costs, FakeCluster, Workbench, eventually
from tests.live import fakes
from tests.live.fakes import RUN_ID, FakeHub
from tests.live.harness import served

FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
ME = "me"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
wrong_values = json_values | st.binary(max_size=8) | st.just(object()) | st.just(Settings) | st.just(Settings())

# --- links ------------------------------------------------------------------------------------------------------------

LINK_READERS = {
    "settings": config.from_query,
    "view": config.view_from_query,
    "anatomy": config.anatomy_from_query,
    "landscape": config.landscape_from_query,
    "cost": config.cost_from_query,
    "cousins": config.cousins_from_query,
    "depth": config.depth_from_query,
    "linear unit": config.linear_unit_from_query,
    "untrained": config.untrained_from_query,
    **{f"trials {one}": (lambda query, one=one: config.trials_from_query(one, query)) for one in Experiment},
}
OWN_KEYS = [one.key for one in (*config.COUSINS_SETTINGS, *config.COST_SETTINGS)]
link_keys = st.sampled_from([*sorted(config.BY_KEY), *OWN_KEYS]) | st.text(
    string.ascii_lowercase + "_", min_size=1, max_size=8
)
link_values = (
    st.sampled_from(["", "nan", "inf", "-1", "1e999", "0x10", "../../etc/passwd", "<script>", "٣", "1,2", "true"])
    | st.floats().map(str)
    | st.integers().map(str)
    | st.text(max_size=20)
)
links = st.dictionaries(link_keys, link_values, max_size=8)


@pytest.mark.parametrize("reader", LINK_READERS)
@FEW
@given(query=links)
def test_any_link_gives_a_valid_record_and_says_what_it_left_out(reader: str, query: dict[str, str]) -> None:
    record, notices = LINK_READERS[reader](query)
    type(record)(**vars(record))  # within its bounds: it can be made again
    assert all(isinstance(one, str) and len(one) < 400 for one in notices)


names = st.sampled_from([one.name for one in config.SETTINGS] + ["lineup", "networks"]) | st.text(max_size=8)
written_settings = st.dictionaries(names, json_values, max_size=3).map(
    lambda values: config.to_json(Settings()) | values
)

# --- files ------------------------------------------------------------------------------------------------------------


@FEW
@given(values=json_values | written_settings)
def test_settings_of_a_file_are_taken_or_refused(values: Any) -> None:
    with suppress(BnvizError):
        read = config.from_json(values)
        assert config.from_json(config.to_json(read)) == read


@FEW
@given(blob=st.binary(max_size=200))
def test_bytes_that_are_no_checkpoint_are_refused(blob: bytes) -> None:
    with pytest.raises(BnvizError, match="cannot be read"):
        checkpoints.decode(blob)


@FEW
@given(run_id=st.text(max_size=80) | st.sampled_from(["..", "../../../etc", "a" * 65, "0123456789abcdef\n"]))
def test_no_run_id_leads_out_of_the_store(run_id: str, tmp_path: Path) -> None:
    with pytest.raises(BnvizError, match="no such run"):
        Store(tmp_path).load(run_id)


# --- the socket -------------------------------------------------------------------------------------------------------

messages = st.dictionaries(st.sampled_from(["next", "view", "charts", "visible"]) | st.text(max_size=5), json_values)
views = st.dictionaries(st.sampled_from(sorted(vars(config.View()))), json_values, max_size=4)


@given(text=st.text(max_size=50) | messages.map(json.dumps) | views.map(lambda view: json.dumps({"view": view})))
def test_a_message_is_understood_or_refused(text: str) -> None:
    watcher = Watcher(("constant",))
    try:
        watcher.hear(text, ("constant",))
    except BadMessageError:
        return
    view = watcher.view.within(Settings().model)
    assert all(type(getattr(view, name)) is type(value) for name, value in vars(config.View()).items())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    figures = {"constant": lambda run, view: {"data": [], "layout": {}}}
    hub = FakeHub(fakes.run(steps=[0, 1]))
    with served(Starlette(routes=routes(lambda: hub, figures, lambda run, view: "", Readiness))) as url:
        yield urlsplit(url).netloc


def assert_unharmed(address: str) -> None:
    with connect(f"ws://{address}/bnviz/frames?run={RUN_ID}") as other:
        other.send(json.dumps({"next": 0}))
        assert decode(other.recv(30))[0]["run_id"] == RUN_ID


@pytest.mark.parametrize(
    "message", ["x" * 10_000_000, b"x" * 10_000_000, "[" * 10_000_000, json.dumps({"next": "x" * 10_000_000})]
)
def test_a_message_of_ten_megabytes_closes_its_own_connection_alone(address: str, message: str | bytes) -> None:
    with connect(f"ws://{address}/bnviz/frames?run={RUN_ID}") as watching:
        with connect(f"ws://{address}/bnviz/frames?run={RUN_ID}") as connection:
            connection.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(30)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == CLOSE_BAD_MESSAGE
        watching.send(json.dumps({"next": 0}))
        assert decode(watching.recv(30))[0]["run_id"] == RUN_ID
    assert_unharmed(address)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=messages.map(json.dumps) | st.text(max_size=30) | st.binary(max_size=30))
def test_nothing_that_is_sent_harms_the_server_or_shows_its_inside(address: str, message: str | bytes) -> None:
    with connect(f"ws://{address}/bnviz/frames?run={RUN_ID}") as connection:
        try:
            connection.send(message)
            connection.send(json.dumps({"next": 0, "visible": True}))
            assert decode(connection.recv(30))[0]["run_id"] == RUN_ID
        except ConnectionClosed as closed:
            end = closed.rcvd
        else:
            return
    assert end is not None
    assert end.code == CLOSE_BAD_MESSAGE
    assert "/" not in end.reason


# --- routes -----------------------------------------------------------------------------------------------------------

segments = st.sampled_from(["..", ".", "%2e%2e", "live.js", browser_version(), "bnviz", "browser", ""]) | st.text(
    min_size=1, max_size=10
).map(lambda text: quote(text, safe=""))


@FEW
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"]),
    start=st.sampled_from(["/bnviz/browser", "/bnviz/frames", "/bnviz/plotly.min.js", "/healthz", ""]),
    more=st.lists(segments, max_size=4),
    query=st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=2),
)
def test_no_address_shows_a_file_or_breaks_the_server(
    address: str, method: str, start: str, more: list[str], query: dict[str, str]
) -> None:
    path = "/".join([start, *more]) or "/"
    asked = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in query.items())
    connection = HTTPConnection(address, timeout=30)
    connection.request(method, f"{path}?{asked}" if asked else path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in {200, 307, 404, 405, 503}
    if answer.status != 200:
        assert len(body) < 1000
        assert b"Traceback" not in body
        assert str(Path(__file__).parents[1]).encode() not in body


# --- the engine -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("home"), cluster=FakeCluster(bench=Workbench(Costs(step=0.001))))
    engine.start()
    eventually(lambda: engine.is_ready)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def run_id(engine: Engine) -> str:
    return engine.create(ME, SMALL)


def calls(engine: Engine, run_id: Any, owner: Any, value: Any, other: Any) -> list[Any]:
    """Every method, with values that fit or do not."""
    return [
        lambda: engine.play(run_id, owner),
        lambda: engine.pause(run_id, owner),
        lambda: engine.step(run_id, owner, value),
        lambda: engine.set(run_id, owner, value),
        lambda: engine.restart(run_id, owner, value, other),
        lambda: engine.set_speed(run_id, owner, value),
        lambda: engine.set_contour(run_id, owner, value, other),
        lambda: engine.draw_landscape(run_id, owner, value, other),
        lambda: engine.measure_anatomy(run_id, owner, value),
        lambda: engine.measure(run_id, owner, value),
        lambda: engine.measure_study(run_id, owner, value),
        lambda: engine.dismiss_ghost(run_id, owner),
        lambda: engine.stop_landscape(run_id, owner),
        lambda: engine.stop_study(run_id, owner),
        lambda: engine.runs_of(owner),
        lambda: engine.owner_of(run_id),
        lambda: engine.orders_of(run_id),
    ]


@FEW
@given(which=st.integers(0, 16), value=wrong_values, other=wrong_values)
def test_a_method_of_the_engine_does_what_it_should_or_says_what_is_wrong(
    engine: Engine, run_id: str, which: int, value: Any, other: Any
) -> None:
    said = "nothing"
    try:
        calls(engine, run_id, ME, value, other)[which]()
    except BnvizError as error:
        said = error.text
    assert 0 < len(said) < 1000
    assert "Traceback" not in said
    assert engine.owner_of(run_id) == ME  # it is there, and its engine answers


@FEW
@given(which=st.integers(0, 16), someone=st.text(max_size=5) | wrong_values, something=wrong_values)
def test_no_id_and_no_owner_but_the_right_ones_get_through(
    engine: Engine, run_id: str, which: int, someone: Any, something: Any
) -> None:
    for asked, owner in ((run_id, someone), (something, ME)):
        if which in {14, 16} or (which == 15 and asked == run_id):  # who may be asked about anything
            continue
        with pytest.raises(BnvizError):
            calls(engine, asked, owner, 1, None)[which]()


@FEW
@given(owner=wrong_values, chosen=wrong_values, is_playing=wrong_values, measures=wrong_values)
def test_no_run_is_made_of_wrong_values(
    engine: Engine, owner: Any, chosen: Any, is_playing: Any, measures: Any
) -> None:
    before = len(engine.hub)
    for arguments in ((ME, chosen, False, ()), (ME, SMALL, is_playing, ()), (ME, SMALL, False, measures)):
        is_right = arguments[1] in (SMALL, Settings()) and type(arguments[2]) is bool
        if is_right and arguments[3] in ((), [], {}):
            continue
        with pytest.raises(BnvizError):
            engine.create(*arguments)  # type: ignore[arg-type]
    assert len(engine.hub) == before


def test_settings_that_would_cost_too_much_are_refused_with_the_limit_named(engine: Engine, run_id: str) -> None:
    large = Settings()
    wild = {"hidden_layers": 20, "width": 512}
    for name, value in wild.items():
        object.__setattr__(large.model, name, value)
    object.__setattr__(large.hyper, "batch_size", 1024)
    for ask in (
        lambda: engine.create(ME, large),
        lambda: engine.restart(run_id, ME, large),
    ):
        with pytest.raises(BnvizError, match=r"more than \d+|from \d+ to \d+|at most \d+"):
            ask()
    rate = HyperParams()
    object.__setattr__(rate, "learning_rate", float("inf"))
    with pytest.raises(BnvizError, match="Learning rate"):
        engine.set(run_id, ME, rate)
