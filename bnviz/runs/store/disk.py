"""Files: where runs are kept, how one is replaced, and what is said when one cannot be read or written.

A visitor reads the name of the file and of its run; where they lie is in the log alone.
"""

import contextlib
import logging
import os
import zipfile
from collections.abc import Iterator
from mmap import mmap
from pathlib import Path
from typing import Final

import platformdirs

from bnviz.errors import ConfigError, RunError

HOME_VARIABLE: Final = "BNVIZ_HOME"

_log = logging.getLogger(__name__)


def default_home() -> Path:
    """BNVIZ_HOME, or the platform's own folder for a user's application data."""
    return Path(os.environ.get(HOME_VARIABLE) or platformdirs.user_data_dir("bnviz", appauthor=False))


def write_whole(path: Path, content: bytes | mmap) -> None:
    """A file that is on the disk, and not only on its way there, when this returns."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_whole(path: Path, content: bytes, tag: str) -> None:
    """A file that is as before or as given, whatever interrupts this; `tag` tells its precursor from others."""
    precursor = path.with_name(f"{path.name}-{tag}")
    write_whole(precursor, content)
    os.replace(precursor, path)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Path]:
    """Turn whatever a damaged file causes into one error that names the file, its run and the remedy."""
    remedy = "restore it from a copy, or start a new run."
    try:
        yield path
    except FileNotFoundError:
        _log.warning("%s is missing", path)
        raise RunError(f"{path.name} of the run {path.parent.name} is missing: {remedy}") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile, ConfigError) as error:
        reason = _reason(error)
        _log.warning("%s cannot be read (%s)", path, error)
        raise RunError(f"{path.name} of the run {path.parent.name} cannot be read ({reason}): {remedy}") from None


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a disk that takes nothing into one error that says what is lost and what to do."""
    try:
        yield
    except OSError as error:
        _log.warning("%s could not be written (%s)", folder, error)
        raise RunError(
            f"The run could not be saved ({error.strerror or 'the disk does not take it'}). Training and downloads go "
            "on, but what is not saved is lost when the server ends: free some space on its disk, or start it with "
            f"{HOME_VARIABLE} set to a folder with room."
        ) from None


def _reason(error: Exception) -> str:
    """What went wrong, without any path."""
    if isinstance(error, ConfigError):
        return error.text
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"{type(error).__name__}: {error}"
