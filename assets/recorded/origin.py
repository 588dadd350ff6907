"""Where and when a recording was made: the same torch version and machine class give the same numbers bit by bit."""

import platform
import re
from datetime import date
from pathlib import Path

import torch


def machine_class() -> str:
    """Such as "x86_64 CPU, AMD EPYC 7763 64-Core Processor, AVX2": what the bits of a product depend on."""
    found = ""
    if (info := Path("/proc/cpuinfo")).is_file():
        match = re.search(r"^model name\s*:\s*(.+)$", info.read_text("utf-8", errors="replace"), re.MULTILINE)
        found = match.group(1).strip() if match else ""
    name = found or platform.processor()
    parts = [f"{platform.machine()} CPU", name, torch.backends.cpu.get_cpu_capability()]
    return ", ".join(part for part in parts if part)


def where() -> str:
    """The torch version and the machine class, of which recordings with equal ones hold equal bits."""
    return f"torch {torch.__version__}, {machine_class()}, one thread"


def origin() -> str:
    """Date, torch version and machine class, as a recording says them."""
    return f"{date.today().isoformat()}, {where()}"
