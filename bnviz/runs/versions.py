"""Whether the machines of a cluster run what this server runs: what differs goes wrong later, and less clearly."""

from collections.abc import Mapping
from typing import Any, Final

from bnviz.errors import EngineError

SCHEDULERS: Final = ("python", "dask", "distributed")
WORKERS: Final = (*SCHEDULERS, "numpy", "torch")  # the server has torch installed, though it never imports it

Packages = Mapping[str, Any]


def check_scheduler(versions: Mapping[str, Any], address: str) -> None:
    """`EngineError` if a scheduler runs other versions than this server, as Dask's `get_versions` tells them."""
    _check(versions["client"], versions["scheduler"], SCHEDULERS, f"the scheduler at {address}")


def check_worker(versions: Mapping[str, Any], address: str) -> None:
    """`EngineError` if a worker runs other versions than this server."""
    _check(versions["client"], versions["workers"].get(address), WORKERS, f"the worker at {address}")


def _check(own: Any, other: Any, names: tuple[str, ...], who: str) -> None:
    ours, theirs = _packages(own), _packages(other)
    different = [name for name in names if _version(ours, name) != _version(theirs, name)]
    if different:
        here = ", ".join(f"{name} {_version(ours, name)}" for name in different)
        there = ", ".join(f"{name} {_version(theirs, name)}" for name in different)
        raise EngineError(f"This server has {here}, and {who} has {there}: install the same versions on both.")


def _packages(one: Any) -> Packages:
    packages: Packages = (one or {}).get("packages", {})
    return packages


def _version(packages: Packages, name: str) -> str:
    version = str(packages.get(name) or "missing")
    # A patch release of Python changes nothing that is sent between the machines.
    return ".".join(version.split(".")[:2]) if name == "python" else version.split("+")[0]
