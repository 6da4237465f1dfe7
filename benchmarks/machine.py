"""What a measurement ran on, and how a process is held to one core.

Nothing here measures. Imported before NumPy, so it must import nothing that starts threads.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Every library that the peers multiply matrices with reads one of these, once, when it is imported.
THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                 "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
                 "TF_NUM_INTEROP_THREADS")  # fmt: skip
# Settings that would hold OpenBLAS to kernels or blocks that are not its own choice for this machine.
BLAS_OVERRIDES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def use_one_core() -> None:
    """Hold this process to one core; must be called before NumPy or a peer is imported.

    Where the system can pin (Linux), pinning also stops the pools of threads that no variable reaches, such as XLA's.
    """
    os.environ.update(dict.fromkeys(THREAD_COUNTS, "1"))
    for name in BLAS_OVERRIDES:
        os.environ.pop(name, None)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def version_of(package: str) -> str | None:
    """Return the installed version of a package, or None; nothing is imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Return the processor's name as the system knows it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        asked = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=True)
        return asked.stdout.strip()
    return platform.processor() or platform.machine()


def load() -> float | None:
    """Return how many processes wanted a core in the last minute, or None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def describe() -> dict[str, str | int | None]:
    """Return the machine in words and numbers."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }
