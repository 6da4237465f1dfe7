"""The scripts of tests/keras_scripts run twice, here and under Keras 3, and their results printed side by side.

Run it with Keras installed: `python tests/parity/scripts.py [NUMBER ...]`. It fails where a script does, or where a
result lies outside the test's bounds. Weights and orders are drawn differently, so the numbers differ a little.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
SHARED = runpy.run_path(str(TESTS / "test_keras_scripts.py"))

# What the scripts say in older Keras's words, or with NumPy where Keras wants its own operations.
FOR_KERAS_3 = {
    r"SGD\(lr=": "SGD(learning_rate=",
    r"from keras\.utils import np_utils": "from keras import utils as np_utils",
    r"return np\.mean\(": "return keras.ops.mean(",
    r"np\.maximum\(q": "keras.ops.maximum(q",
}


def run(package: str, path: Path) -> tuple[dict[str, float], float, str]:
    """Return a script's results, the seconds it took, and what it said if it failed."""
    source = SHARED["with_imports_of"](package, path.read_text(encoding="utf-8"))
    if package == "keras":
        for pattern, replacement in FOR_KERAS_3.items():
            source = re.sub(pattern, replacement, source)
    environment = {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", source], cwd=folder, env=environment, capture_output=True, text=True
        )
    seconds = time.perf_counter() - began
    return (SHARED["results"](done.stdout) if done.returncode == 0 else {}), seconds, done.stderr[-2000:]


def main(wanted: list[str]) -> int:
    """Run all scripts, or those whose number is given; return how many results of Keras lie outside the bounds."""
    wrong = 0
    for path in sorted((TESTS / "keras_scripts").glob("[0-9]*.py")):
        if wanted and path.stem[:2] not in wanted:
            continue
        here, seconds, complaint = run("hillwalker", path)
        there, seconds_there, complaint_there = run("keras", path)
        print(
            f"{path.stem:28s} hillwalker {seconds:6.1f} s, Keras {seconds_there:6.1f} s (imports included)", flush=True
        )
        for name, (low, high) in SHARED["BOUNDS"][path.stem].items():
            values = [found.get(name, float("nan")) for found in (here, there)]
            outside = "" if all(low <= value <= high for value in values) else f"   outside {low:g} to {high:g}"
            wrong += bool(outside)
            print(f"    {name:30s} {values[0]:12.4f} {values[1]:12.4f}{outside}", flush=True)
        for failed, text in ((not here, complaint), (not there, complaint_there)):
            if failed:
                print(text)
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
