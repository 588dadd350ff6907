"""Work on fixed buffers as one CUDA graph; on a CPU the same object just does the work.

A step of small networks is a hundred kernels that take longer to launch than to run; a graph launches them all at once.
"""

from collections.abc import Callable, Hashable
from typing import Final, Protocol

import torch

EAGER_RUNS: Final = 3  # before a capture, as PyTorch asks: libraries and allocators must have warmed up


class Graph(Protocol):
    """What `Captured` needs of a recorder of work."""

    def record(self, work: Callable[[], None]) -> None:
        """Take down what the work does, without doing it."""

    def replay(self) -> None: ...

    def warm(self, work: Callable[[], None]) -> None:
        """Do the work as the recorder wants it done before it records."""


class CudaGraph:
    """`torch.cuda.CUDAGraph`, with the side stream that it wants for the runs before."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graph = torch.cuda.CUDAGraph()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def warm(self, work: Callable[[], None]) -> None:
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            work()
        torch.cuda.current_stream(self._device).wait_stream(self._stream)

    def record(self, work: Callable[[], None]) -> None:
        with torch.cuda.graph(self._graph, stream=self._stream):
            work()

    def replay(self) -> None:
        self._graph.replay()


class Captured:
    """Does the same work over and over: eagerly at first, and then by replaying a recording of it.

    The work must read and write the same tensors each time, ask nothing of the device and decide nothing by their
    values. `key` stands for all that is baked into a recording, sizes and settings: with another key it is made anew.

    Args:
        make_graph: makes an empty recorder; None where there is none, as on a CPU.
    """

    def __init__(self, make_graph: Callable[[], Graph] | None) -> None:
        self._make_graph = make_graph
        self._key: Hashable = None
        self._graph: Graph | None = None
        self._runs = 0

    def __call__(self, work: Callable[[], None], key: Hashable) -> None:
        if self._make_graph is None:
            work()
            return
        if self._graph is None or key != self._key:
            self._key, self._graph, self._runs = key, self._make_graph(), 0
        if self._runs < EAGER_RUNS:
            self._graph.warm(work)
        else:
            if self._runs == EAGER_RUNS:
                self._graph.record(work)
            self._graph.replay()
        self._runs += 1


def captured_on(device: torch.device) -> Captured:
    """For work on this device."""
    return Captured((lambda: CudaGraph(device)) if device.type == "cuda" else None)
