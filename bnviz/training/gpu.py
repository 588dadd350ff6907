"""What a GPU does that no program can help: it runs out of memory, or it is gone."""

import re
from typing import Final

import torch

_OF_THE_GPU: Final = re.compile(r"\b(CUDA|cuDNN|cuBLAS|HIP|NVML)", re.IGNORECASE)


def gpu_fault(error: BaseException) -> str | None:
    """What happened to the GPU, as half a sentence; None if the error is none of its.

    After an error other than a lack of memory the process's whole CUDA context is of no use any more.
    """
    if isinstance(error, torch.OutOfMemoryError):
        return "The GPU has no memory left"
    if isinstance(error, torch.AcceleratorError) or (
        isinstance(error, RuntimeError) and _OF_THE_GPU.search(str(error)) is not None
    ):
        return "The GPU does not answer any more"
    return None
