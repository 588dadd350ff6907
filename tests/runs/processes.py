"""The processes of an engine's cluster, for tests that look at them or end them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from bnviz.runs.engine import Engine


def cluster_processes(pid: int = os.getpid()) -> list[psutil.Process]:
    """The child with the cluster, and every process below it."""
    children = psutil.Process(pid).children()
    child = next(one for one in children if "bnviz.worker.cluster" in one.cmdline())
    return [child, *child.children(recursive=True)]


def workers() -> list[psutil.Process]:
    return [one for one in cluster_processes() if "--multiprocessing-fork" in one.cmdline()]


def worker_of(engine: Engine, run_id: str, among: list[psutil.Process]) -> psutil.Process:
    """The process that trains a run: the one that listens where the engine asks for it."""
    assert engine._dispatcher is not None
    place = engine._dispatcher._awake[run_id].place
    assert place is not None
    port = int(place.address.rpartition(":")[2])
    return next(one for one in among if port in {each.laddr.port for each in one.net_connections()})


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute as workers do: with more threads sums are added up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
