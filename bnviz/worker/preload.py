"""What `dask worker --preload-nanny bnviz.worker.preload` adds: workers as those of the embedded cluster are.

Dask's own way with memory costs a training loop a third of its speed, its profiler interrupts the training thread, and
a run on the CPU is reproducible with one thread only.
"""

import logging
import os
from typing import TYPE_CHECKING, Final

import dask

from bnviz.worker.cluster import CONFIG, WORKER_ENVIRONMENT

if TYPE_CHECKING:
    from distributed import Nanny

TRIM_THRESHOLD: Final = "MALLOC_TRIM_THRESHOLD_"

logger = logging.getLogger(__name__)


def dask_setup(nanny: "Nanny") -> None:
    """Called by Dask before a nanny starts its worker."""
    # What this process was given itself would go before Dask's configuration, and the workers inherit it.
    os.environ.pop(TRIM_THRESHOLD, None)
    os.environ.update(WORKER_ENVIRONMENT)
    for environment in (nanny.pre_spawn_env, nanny.env):
        environment.pop(TRIM_THRESHOLD, None)
        environment.update(WORKER_ENVIRONMENT)
    dask.config.set(CONFIG)
    nanny.config = {**nanny.config, **dask.config.config}  # what the worker's process is told
    if nanny.nthreads != 1:
        logger.warning("bnviz wants workers of one thread: this one gets 1 in place of %d", nanny.nthreads)
        nanny.nthreads = 1
