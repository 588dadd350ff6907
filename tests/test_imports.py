"""Imports point down only, as the table of the house says, and nothing in the web server ever imports torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What each part may import besides the standard library, numpy and the three modules that any of them may.
ANYWHERE = {"numpy", "bnviz", "bnviz.errors", "bnviz.config", "bnviz.records"}
MAY_IMPORT: dict[str, set[str]] = {
    "bnviz": set(),
    "bnviz.errors": set(),
    "bnviz.config": set(),
    "bnviz.records": set(),
    "bnviz.data": {"torch"},
    "bnviz.models": {"torch"},
    "bnviz.measure": {"bnviz.models", "torch"},
    "bnviz.training": {"bnviz.data", "bnviz.models", "bnviz.measure", "torch"},
    "bnviz.worker": {
        "bnviz.training",
        "bnviz.measure",
        "bnviz.data",
        "bnviz.models",
        "torch",
        "safetensors",
        "distributed",
        "dask",  # distributed's own configuration
        "cryptography",  # for the certificates of a cluster
        "psutil",  # the priority of the embedded cluster's processes
    },
    "bnviz.runs": {
        "bnviz.worker.host",
        "bnviz.worker.wire",
        "bnviz.worker.sweep_task",
        "distributed",
        "platformdirs",
        "cryptography",
    },
    "bnviz.figures": {"plotly"},  # inside to_html alone: the frames never need it
    "bnviz.live": {"bnviz.figures", "bnviz.runs", "starlette", "streamlit", "latex2mathml"},
    "bnviz.ui": {"bnviz.figures", "bnviz.runs", "bnviz.live", "streamlit", "plotly", "pyarrow"},
    "pages": {"bnviz.ui", "bnviz.figures", "bnviz.runs", "streamlit"},
    "app": {"bnviz.ui", "bnviz.live", "bnviz.runs", "streamlit"},
}
LOWEST_FIRST = tuple(MAY_IMPORT)
SERVER = (
    "bnviz.runs",
    "bnviz.figures",
    "bnviz.live",
    "bnviz.ui",
    "pages",
    "app",
    "bnviz.worker.host",
    "bnviz.worker.handover",
    "bnviz.worker.wire",
    "bnviz.worker.sweep_task",
)
HEAVY = {"torch", "safetensors"}


@dataclass(frozen=True)
class Import:
    """One imported module, and whether it is imported when the importing one is."""

    name: str
    is_at_once: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def project_files() -> list[Path]:
    files = [*(ROOT / "bnviz").rglob("*.py"), *(ROOT / "pages").glob("*.py")]
    return sorted(files + [path for path in [ROOT / "app.py"] if path.exists()])


FILES = {module_name(path): path for path in project_files()}


def imports_of(name: str) -> list[Import]:
    return _imports_of_file(FILES[name], name)


@cache
def _imports_of_file(path: Path, name: str) -> list[Import]:
    return list(_imports(ast.parse(path.read_text("utf-8")), name, is_at_once=True))


def _imports(node: ast.AST, importer: str, is_at_once: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, is_at_once) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, importer)
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield Import(inner if inner in FILES else base, is_at_once)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        is_at_once = False
    for child in ast.iter_child_nodes(node):
        is_only_typed = isinstance(node, ast.If) and _is_type_checking(node.test) and child in node.body
        yield from _imports(child, importer, is_at_once and not is_only_typed)


def _absolute(node: ast.ImportFrom, importer: str) -> str:
    if not node.level:
        return node.module or ""
    package = importer if FILES[importer].name == "__init__.py" else importer.rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{node.module}" if node.module else package


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def part_of(name: str) -> str:
    """The row of the table that a module belongs to."""
    top = name.split(".")
    return ".".join(top[:2]) if top[0] == "bnviz" else top[0]


def is_within(name: str, allowed: str) -> bool:
    return name == allowed or (allowed != "bnviz" and name.startswith(f"{allowed}."))


def import_closure(name: str, with_packages: bool = True) -> set[str]:
    """Everything that importing a module imports, with the packages above it or by its own statements alone."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        if one in FILES:
            waiting += [each.name for each in imports_of(one) if each.is_at_once]
        waiting += [one.rpartition(".")[0]] if with_packages and "." in one else []
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_module_imports_only_what_its_row_of_the_table_allows(name: str) -> None:
    part = part_of(name)
    assert part in MAY_IMPORT, f"{name} belongs to no row of the table"
    allowed = MAY_IMPORT[part] | ANYWHERE | {part}
    for one in imports_of(name):
        if one.name.split(".")[0] not in sys.stdlib_module_names:
            assert any(is_within(one.name, each) for each in allowed), f"{name} imports {one.name}"


def test_the_table_itself_points_down() -> None:
    for number, part in enumerate(LOWEST_FIRST):
        for other in (one for one in MAY_IMPORT[part] if one.startswith("bnviz")):
            assert part_of(other) in LOWEST_FIRST[:number], f"{part} may import {other}, which is not below it"


@pytest.mark.parametrize("name", [name for name in FILES if any(is_within(name, each) for each in SERVER)])
def test_nothing_in_the_server_imports_torch_not_even_through_others(name: str) -> None:
    assert {one.split(".")[0] for one in import_closure(name)}.isdisjoint(HEAVY)


def test_modules_do_not_import_each_other_in_circles() -> None:
    for name in FILES:
        for one in imports_of(name):
            if one.is_at_once:
                assert name not in import_closure(one.name, with_packages=False), f"{name} and {one.name}"


def test_the_reader_of_imports_sees_through_functions_and_type_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import torch
else:
    import json
def later():
    from safetensors.torch import save
from . import records
"""
    path = tmp_path / "made_up.py"
    path.write_text(source)
    monkeypatch.setitem(FILES, "bnviz.made_up", path)
    assert imports_of("bnviz.made_up") == [
        Import("typing", True),
        Import("torch", False),
        Import("json", True),
        Import("safetensors.torch", False),
        Import("bnviz.records", True),
    ]


def test_what_the_server_imports_leaves_torch_out() -> None:
    code = """
import sys
import distributed
import bnviz.figures, bnviz.live, bnviz.runs.cluster, bnviz.runs.engine, bnviz.worker.host, bnviz.worker.sweep_task
assert not {"torch", "safetensors"} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
