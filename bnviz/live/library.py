"""plotly.js for the browser: all of it out of the plotly package, or the cartesian bundle, a third of it, from assets.

A new browser takes 0.6 s to make plotly.js ready, and 0.2 s for the bundle that knows no surfaces (measured).
"""

import gzip
import re
import zlib
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from bnviz.figures import SOLID

BUNDLE: Final = Path(__file__).resolve().parents[2] / "assets" / "plotly" / "plotly-cartesian.min.js.gz"
ALL, CARTESIAN = "plotly.min.js", "plotly-cartesian.min.js"
MOST_GZIP_LEVEL: Final = 6  # 4.8 MB of plotly.js in about a third of a second, once a process
HEADER_BYTES: Final = 200


def library_for(charts: Collection[str]) -> str:
    """The name of the library with which a page draws these charts."""
    return ALL if SOLID.intersection(charts) or not has_bundle() else CARTESIAN


@cache
def has_bundle() -> bool:
    """Whether there is a bundle of the very version that the installed plotly package has."""
    try:
        with gzip.open(BUNDLE) as file:
            return _version_in(file.read(HEADER_BYTES)) == plotly_version()
    except (OSError, EOFError, zlib.error):  # none, or a damaged one
        return False


@cache
def plotly_version() -> str:
    """Of plotly.js, in the installed plotly package."""
    with (files("plotly") / "package_data" / ALL).open("rb") as file:
        return _version_in(file.read(HEADER_BYTES))


def _version_in(header: bytes) -> str:
    found = re.search(rb"plotly\.js (?:\([^)]*\) )?v([\w.]+)", header)
    return found[1].decode() if found else ""


@cache
def compressed(name: str) -> bytes:
    """A library, gzipped. No network is needed: it is here or in the plotly package."""
    if name == CARTESIAN:
        return BUNDLE.read_bytes()
    return gzip.compress((files("plotly") / "package_data" / ALL).read_bytes(), MOST_GZIP_LEVEL, mtime=0)
