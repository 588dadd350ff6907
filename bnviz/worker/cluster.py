"""The embedded cluster's own process: Dask on this machine's loopback, for as long as its standard input is open.

Run as `python -m bnviz.worker.cluster [WORKERS] [--staggered]`. It writes one line of JSON, its address, its TLS
material and the folder for large answers, and closes when its input ends, which happens whatever becomes of the process
that holds the other end.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from typing import Final, TextIO

import dask
import psutil
from dask.system import CPU_COUNT
from distributed import LocalCluster, Security
from distributed.system import MEMORY_LIMIT

from bnviz.worker import handover

CLOSE_SECONDS: Final = 3.0
NICENESS: Final = 5  # a third of the weight of a process at 0, where they want the same core
ALONE_SECONDS: Final = 4.0  # about as long as a worker takes to import torch and to load MNIST
WORKER_BYTES: Final = 3 * 2**29  # torch, and MNIST in its three forms
# In place of Dask's own, of which MALLOC_TRIM_THRESHOLD_=65536 costs a training loop a third of its speed. Workers of
# an external cluster (BNVIZ_SCHEDULER) get the same from `bnviz.worker.preload`.
WORKER_ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
CONFIG: Final = {
    "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
    "distributed.worker.profile.enabled": False,  # it would sample the training thread
    "distributed.diagnostics.nvml": False,
    "distributed.scheduler.allowed-failures": 0,  # the engine counts the workers that end under a cell
}


def give_way() -> None:
    """Let this process, and those it starts, have what server and browser leave of the processor."""
    me = psutil.Process()
    me.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else max(me.nice(), NICENESS))


def gpu_count() -> int:
    """GPUs that the driver lists, without importing torch here; 0 where there is no driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([one for one in visible.split(",") if one.strip() not in {"", "-1"}])
    if shutil.which("nvidia-smi") is None:
        return 0
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=10)
    return listing.stdout.count("GPU ")


def worker_count() -> int:
    """One worker a GPU, or else one a core as far as there is memory for them."""
    return gpu_count() or max(1, min(CPU_COUNT, MEMORY_LIMIT // WORKER_BYTES))


async def serve(workers: int, is_staggered: bool, announcement: TextIO) -> None:
    """Hold the cluster open until standard input ends."""
    dask.config.set(CONFIG)
    give_way()
    folder = handover.new_folder()
    async with LocalCluster(
        n_workers=1 if is_staggered else workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # None would open port 8787
        security=Security.temporary(),
        memory_limit=0,  # the engine bounds what runs there may be; a worker paused by Dask would stall all of them
        asynchronous=True,
    ) as cluster:
        announcement.write(json.dumps(_introduction(cluster, folder.name)) + "\n")
        announcement.close()
        growing = asyncio.create_task(_grow(cluster, workers if is_staggered else 0))
        await asyncio.to_thread(sys.stdin.buffer.read)
        growing.cancel()
        folder.cleanup()
        _end_soon()


async def _grow(cluster: LocalCluster, workers: int) -> None:
    """Start the other workers once the first has had the machine to itself: a visitor's first run needs but one."""
    if workers > 1:
        await asyncio.sleep(ALONE_SECONDS)
        cluster.scale(workers)


def _introduction(cluster: LocalCluster, folder: str) -> dict[str, object]:
    security = cluster.security
    tls = {name: getattr(security, name) for name in ("tls_ca_file", "tls_client_cert", "tls_client_key")}
    return {"address": cluster.scheduler_address, "tls": tls, "folder": folder}


def _end_soon() -> None:
    """End this process even where closing the cluster hangs; its workers end with it."""
    timer = threading.Timer(CLOSE_SECONDS, os._exit, (1,))
    timer.daemon = True
    timer.start()


def main() -> None:
    # What a worker prints belongs in the log: from here on, standard output is standard error.
    announcement = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    asyncio.run(serve(numbers[0] if numbers else worker_count(), "--staggered" in sys.argv, announcement))


if __name__ == "__main__":
    main()
