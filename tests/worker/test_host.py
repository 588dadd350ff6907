"""The host answers with records, and no error but a BnvizError leaves it."""

import asyncio
import gc
import pickle
from collections.abc import Iterator

import pytest

from bnviz.errors import BnvizError, EngineError, RunError
from bnviz.worker.host import Host, Orders
from bnviz.worker.slices import Slices
from tests.fake_worker import SMALL, Costs, Workbench, eventually


@pytest.fixture
def slices() -> Slices:
    return Slices(Workbench(Costs(step=0.0005, measure=0.001)))


@pytest.fixture
def host(slices: Slices) -> Iterator[Host]:
    yield Host(slices)
    slices.close()


def test_a_host_trains_what_is_placed_and_tells_of_it(host: Host) -> None:
    async def watch() -> None:
        await host.place("a", Orders(0, SMALL, is_playing=True))
        versions = {"a": 0}
        steps = 0
        while steps < 20:
            for run_id, update in (await host.poll(versions)).items():
                versions[run_id], steps = update.version, update.status.step
            await asyncio.sleep(0.005)
        assert await host.run_ids() == ["a"]
        checkpoint, updates = await host.checkpoint("a", versions["a"])
        assert checkpoint is not None
        assert checkpoint.step >= 20
        assert all(update.version > versions["a"] for update in updates)
        await host.drop("a")
        assert await host.run_ids() == []

    asyncio.run(asyncio.wait_for(watch(), 10))


async def heard(host: Host, version: int) -> tuple[int, list[int]]:
    """What a patient poll brings of run "a": the version to ask from next, the steps that were measured."""
    update = (await host.poll({"a": version}, 5.0)).get("a")
    return (version, []) if update is None else (update.version, [point.step for point in update.points])


def test_a_patient_poll_answers_as_soon_as_there_is_a_measurement_and_before_its_patience_ends(host: Host) -> None:
    async def watch() -> None:
        await host.place("a", Orders(0, SMALL))
        version, steps = 0, []
        while 0 not in steps:
            version, steps = await heard(host, version)
        while (rest := await host.poll({"a": version}, 0.1)).get("a") is not None:
            version = rest["a"].version
        asked = asyncio.ensure_future(host.poll({"a": version}, 30.0))
        await asyncio.sleep(0.05)
        assert not asked.done()  # the run rests: there is nothing to tell
        updates = await host.step("a", 3, version)  # a command ends the wait
        version = updates[-1].version if updates else version
        await asyncio.wait_for(asked, 5)
        steps = []
        while 3 not in steps:
            version, more = await heard(host, version)
            steps += more
        begun = asyncio.get_running_loop().time()
        await host.poll({"a": version}, 0.2)
        assert asyncio.get_running_loop().time() - begun < 2

    asyncio.run(asyncio.wait_for(watch(), 20))


def test_a_poll_takes_a_breath_however_much_there_is_to_tell_unless_a_command_comes(host: Host) -> None:
    async def watch() -> None:
        clock = asyncio.get_running_loop().time
        await host.place("a", Orders(0, SMALL))
        begun = clock()
        assert "a" in await host.poll({"a": 0}, 0.0, 0.2)
        assert clock() - begun >= 0.19
        begun = clock()
        asked = asyncio.ensure_future(host.poll({"a": 0}, 30.0, 30.0))
        await asyncio.sleep(0.05)
        assert not asked.done()
        await host.obey("a", Orders(0, SMALL, is_playing=True), 0)
        assert "a" in await asked
        assert clock() - begun < 5

    asyncio.run(asyncio.wait_for(watch(), 20))


def test_a_bnviz_error_arrives_as_it_was_raised(host: Host) -> None:
    with pytest.raises(RunError, match="not on its worker") as caught:
        asyncio.run(host.obey("nobody", Orders(0, SMALL), 0))
    assert_travels_alone(caught.value)


def test_any_other_error_stays_in_the_workers_log(
    host: Host, slices: Slices, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("torch would be in here")

    monkeypatch.setattr(slices, "place", fail)
    with pytest.raises(EngineError, match="failed in place") as caught:
        asyncio.run(host.place("a", Orders(0, SMALL)))
    assert_travels_alone(caught.value)
    assert "torch would be in here" in caplog.text


def assert_travels_alone(error: BnvizError) -> None:
    """Nothing but its text goes with an error through a pickle."""
    assert error.__cause__ is None
    assert error.__context__ is None
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.text) == (type(error), error.text)


def test_a_host_may_be_let_go_on_its_own_thread(slices: Slices) -> None:
    hosts = [Host(slices)]
    slices.call(hosts.clear).result(5)
    eventually(lambda: slices.join(0.01))


def test_a_host_that_is_let_go_ends_its_thread(slices: Slices) -> None:
    host = Host(slices)
    del host
    gc.collect()
    eventually(lambda: slices.join(0.01))
