"""The recordings of Ioffe & Szegedy 2015, Figure 1, on disk: a file each run, read when it is looked at."""

import json
import logging
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from bnviz.config import FigureOneConfig
from bnviz.errors import ConfigError, DataError
from bnviz.records import Condition, Health, Replica
from bnviz.records.arrays import BAND_LEVELS

VERSION: Final = 1
_ARRAYS: Final = ("step", "accuracy", "loss", "units")
_DAMAGE: Final = (ConfigError, OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)

logger = logging.getLogger(__name__)


def file_of(folder: Path, config: FigureOneConfig) -> Path:
    """Where a recorded run is kept."""
    return folder / f"{config.name}.npz"


def save_replica(folder: Path, replica: Replica) -> None:
    """Write a run, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    health = [asdict(one) for one in replica.health]
    about = {"version": VERSION, "config": asdict(replica.config), "health": health, "origin": replica.origin}
    arrays: dict[str, Any] = {name: getattr(replica, name) for name in (*_ARRAYS, "bands")}
    path = file_of(folder, replica.config)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
    partial.replace(path)


def load_replica(folder: Path, config: FigureOneConfig, with_bands: bool = False) -> Replica:
    """A recorded run; its bands, which are most of it, only where they are wanted.

    Raises:
        DataError: the file is missing, damaged, or of another run; the text says how to make it again.
    """
    path = file_of(folder, config)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            replica = _replica(about, {name: arrays[name] for name in _ARRAYS}, arrays["bands"] if with_bands else None)
        if replica.config != config:
            raise ValueError(f"holds {replica.config.name}")
    except _DAMAGE as error:
        if not isinstance(error, FileNotFoundError):
            logger.warning("The recording %s is damaged: %s", path, error)
        raise DataError(
            f"The recording {path.name} in assets/recorded/{folder.name} is missing or damaged: restore it from the "
            "repository, or record it again (python -m assets.recorded.record --again figure-one)."
        ) from None
    return replica


def _replica(about: Mapping[str, Any], arrays: Mapping[str, Any], bands: Any) -> Replica:
    if about["version"] != VERSION:
        raise ValueError(f"version {about['version']}")
    health = tuple(Health(**one | {"condition": Condition(one["condition"])}) for one in about["health"])
    replica = Replica(FigureOneConfig(**about["config"]), **arrays, bands=bands, health=health, origin=about["origin"])
    m, k = replica.accuracy.shape
    shapes = [replica.step.shape, replica.loss.shape, (len(health),)]
    expected = [(m,), (m, k), (k,)]
    if bands is not None:
        shapes.append(bands.shape)
        expected.append((m, k, *replica.units.shape, len(BAND_LEVELS)))
    if shapes != expected or m == 0:
        raise ValueError(f"arrays of shapes {shapes}, not {expected}")
    return replica
