"""Recordings made piece by piece, in as many processes as there are cores: resumable, with a bar and the time left."""

import argparse
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

BAR: Final = 30  # characters
LOOK_SECONDS: Final = 1.0

Tell = Callable[[float], None]
"""Told the share that is done, in [0, 1]."""


@dataclass(frozen=True)
class Piece:
    """What one process makes in one go.

    Attributes:
        work: about how many seconds of one core it takes.
        files: what there is once it is made.
        make: makes them; it can be pickled.
    """

    name: str
    work: float
    files: tuple[Path, ...]
    make: Callable[[Tell], None]

    @property
    def is_made(self) -> bool:
        return all(file.exists() for file in self.files)


@contextmanager
def in_place_of(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of this one at the end of the block; if that raises, nothing has changed."""
    new = folder.with_name(f".{folder.name}-new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


Recordings = Mapping[str, Callable[[], Iterable[Piece]]]
"""What a command can record, by name."""

_shares: Any = None  # of the pieces, in a process of the pool


def _begin(shares: Any) -> None:
    """In each process of the pool, before its first piece."""
    global _shares
    _shares = shares
    torch.set_num_threads(1)


def _make(number: int, piece: Piece) -> None:
    def tell(share: float) -> None:
        _shares[number] = share

    piece.make(tell)
    tell(1.0)


def record(pieces: Sequence[Piece], processes: int) -> None:
    """Make pieces, the largest first, and show how far they are; what one raises is raised here at the end."""
    pieces = sorted(pieces, key=lambda one: -one.work)
    spawn = multiprocessing.get_context("spawn")
    shares, begun = spawn.Array("d", len(pieces), lock=False), time.monotonic()
    with ProcessPoolExecutor(processes, spawn, _begin, (shares,)) as pool:
        futures = [pool.submit(_make, number, one) for number, one in enumerate(pieces)]
        left = set(futures)
        while left:
            _, left = wait(left, LOOK_SECONDS, FIRST_COMPLETED)
            _show(pieces, list(shares), time.monotonic() - begun)
    print()
    for future in futures:
        future.result()


def _show(pieces: Sequence[Piece], shares: Sequence[float], seconds: float) -> None:
    """One line: a bar, how many pieces are made, and the time that is left."""
    done = sum(share * one.work for share, one in zip(shares, pieces, strict=True)) / sum(one.work for one in pieces)
    made = sum(share >= 1 for share in shares)
    filled = round(BAR * done)
    left = f"{_time_text(seconds * (1 / done - 1))} left" if done > 0.001 else "just begun"
    bar = "█" * filled + "░" * (BAR - filled)
    print(f"\r{bar} {done:4.0%}, {made} of {len(pieces)} made, {_time_text(seconds)}, {left}   ", end="", flush=True)


def _time_text(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def run(recordings: Recordings, program: str, purpose: str, arguments: Sequence[str] | None = None) -> None:
    """A command that makes what is missing of these recordings, or of those that are named."""
    parser = argparse.ArgumentParser(prog=program, description=purpose)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(recordings)}; all unless some are given"
    )
    parser.add_argument("--again", action="store_true", help="make anew what is there already")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one a core")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(recordings):
        parser.error(f"no recording is called {', '.join(sorted(unknown))}: choose from {', '.join(recordings)}")
    pieces = [one for name in chosen.names or recordings for one in recordings[name]()]
    wanted = [one for one in pieces if chosen.again or not one.is_made]
    print(f"{len(pieces) - len(wanted)} of {len(pieces)} pieces are there; making {len(wanted)}.")
    if wanted:
        record(wanted, max(chosen.processes, 1))
