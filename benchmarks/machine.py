"""What a measurement ran on, and how a process is held to some of its cores.

Nothing here measures. Imported before NumPy, so it must import nothing that starts threads.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Every library that multiplies matrices here reads one of these, once, when it is imported.
THREAD_COUNTS = ("HILLWALKER_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                 "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
                 "TF_NUM_INTEROP_THREADS")  # fmt: skip
# Settings that would hold OpenBLAS to kernels or blocks that are not its own choice for this machine.
BLAS_OVERRIDES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def limit_threads(count: int) -> None:
    """Let this process and its children use so many threads; must be called before NumPy or a peer is imported."""
    os.environ.update(dict.fromkeys(THREAD_COUNTS, str(count)))
    for name in BLAS_OVERRIDES:
        os.environ.pop(name, None)


def pin(count: int) -> None:
    """Hold this process to so many cores, where the system can (Linux).

    That also bounds the pools of threads that no variable reaches, such as XLA's, if it happens before they start.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-count:])


def use_one_core() -> None:
    """Hold this process to one core and one thread; must be called before NumPy or a peer is imported."""
    limit_threads(1)
    pin(1)


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def describe() -> dict[str, str | int | float | None]:
    """Return the machine in words and numbers."""
    return {
        "processor": processor(),
        "cores": core_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }
