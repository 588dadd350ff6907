"""Files: where runs are kept, and what is said when one cannot be read."""

import contextlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import platformdirs

from bnviz.errors import ConfigError, RunError

HOME_VARIABLE: Final = "BNVIZ_HOME"


def default_home() -> Path:
    """BNVIZ_HOME, or the platform's own folder for a user's application data."""
    return Path(os.environ.get(HOME_VARIABLE) or platformdirs.user_data_dir("bnviz", appauthor=False))


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Path]:
    """Turn whatever a damaged file causes into one error that names the file and the remedy."""
    try:
        yield path
    except FileNotFoundError:
        raise RunError(f"{path} is missing: restore it from a copy, or start a new run.") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile, ConfigError) as error:
        reason = error.text if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
        raise RunError(f"{path} cannot be read ({reason}): restore it from a copy, or start a new run.") from None
