"""Trains random networks here and in Keras and PyTorch and compares losses, metrics, weights and predictions.

Run by `scripts/parity`. It tests numbers only: speed is measured in benchmarks/.

    python tests/parity/run.py --cases 300 --seed 0                Keras with torch, a tenth with jax, a sixth PyTorch
    python tests/parity/run.py --backend torch --seed 0 --only 17  one case again
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import warnings

BACKENDS = {"torch": 0, "jax": 100_000, "pytorch": 200_000}  # the number of each one's first case, so that all differ


def main() -> int:
    """Run the cases asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300, help="how many cases (300)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other cases (0)")
    parser.add_argument("--backend", choices=BACKENDS, help="this only; pytorch: PyTorch without Keras")
    parser.add_argument("--only", type=int, help="the number of one case")
    arguments = parser.parse_args()
    if arguments.backend is not None or arguments.only is not None:
        return run(arguments.backend or "torch", arguments.cases, arguments.seed, arguments.only)
    shares = {"jax": arguments.cases // 10, "pytorch": arguments.cases // 6}
    shares = {"torch": arguments.cases - sum(shares.values())} | shares
    results = [_in_a_process_of_its_own(backend, count, arguments.seed) for backend, count in shares.items() if count]
    passed, failed = (sum(numbers) for numbers in zip(*results, strict=True))
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


def _in_a_process_of_its_own(backend: str, count: int, seed: int) -> tuple[int, int]:
    """Run cases on one backend, which Keras fixes at its import; return how many passed and failed."""
    command = [sys.executable, __file__, "--backend", backend, "--cases", str(count), "--seed", str(seed)]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for last in process.stdout:
            print(last, end="", flush=True)
    found = re.search(r"(\d+) passed, (\d+) failed", last)
    if found is None:
        sys.exit(f"{backend}: ended with code {process.returncode} and no result.")
    return int(found[1]), int(found[2])


def run(backend: str, count: int, seed: int, only: int | None) -> int:
    """Run cases on one peer, print each that fails, and the closing line; return the exit code."""
    os.environ |= {"KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    warnings.simplefilter("ignore")
    if backend == "pytorch":
        from against_pytorch import check
    else:
        from against_keras import check
    began = last = time.monotonic()
    failed = 0
    first = BACKENDS[backend]
    chosen = range(first, first + count) if only is None else [only]
    for done, number in enumerate(chosen, start=1):
        found, script = check(seed, number)
        if found:
            failed += 1
            print(f"\n# case {number} failed: --backend {backend} --seed {seed} --only {number}")
            print("\n".join(f"#   {line}" for line in found), script, sep="\n", flush=True)
        if time.monotonic() - last > 5:
            last = time.monotonic()
            print(f"{backend}: {done} of {len(chosen)} cases, {failed} failed, {last - began:.0f} s", flush=True)
    print(f"{backend}: {len(chosen) - failed} passed, {failed} failed in {time.monotonic() - began:.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
