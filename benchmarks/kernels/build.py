"""Compiles a measuring program in C++ together with the core, by the flags of CMakeLists.txt; only what changed, kept.

It measures nothing. A program is made for one instruction set: its own files are compiled for that one, the core's
kernels for every set that this kind of processor has.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
OBJECTS = ROOT / ".venv-kernels"  # kept between runs, ignored by Git


def compiler() -> list[str]:
    """Return the user's C++ compiler (CXX), else the machine's, else Zig's, which is a Python package."""
    if os.environ.get("CXX"):
        return shlex.split(os.environ["CXX"])
    for name in ("g++", "clang++", "c++"):
        if found := shutil.which(name):
            return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++", "-mcpu=baseline", "-fno-sanitize=undefined"]
    raise SystemExit("No C++ compiler found: set CXX, or pip install ziglang.")


def compiler_version() -> str:
    asked = subprocess.run([*compiler(), "--version"], capture_output=True, text=True, check=True)
    return asked.stdout.splitlines()[0]


def flags() -> tuple[list[str], dict[str, list[str]]]:
    """Return the flags of every file, and those of each instruction set, as CMakeLists.txt gives them."""
    text = (ROOT / "CMakeLists.txt").read_text()
    options = re.search(r"target_compile_options\(\S+ PRIVATE \$<IF:\$<CONFIG:Debug>,-O1,(.*)\)\n", text)
    if not options:
        raise SystemExit("CMakeLists.txt no longer has target_compile_options with an optimisation for Debug.")
    sets: dict[str, list[str]] = {}
    for name, words in re.findall(r"set\(flags_(\w+) (.*?)\)", text):
        for other, known in sets.items():
            words = words.replace(f"${{flags_{other}}}", " ".join(known))
        sets[name] = words.split()
    return ["-std=c++20", f"-I{ROOT / 'core'}", *options[1].replace(">", "", 1).split()], sets


def instruction_sets() -> list[str]:
    """Return the names that CMakeLists.txt compiles for this kind of processor."""
    kind = platform.machine().lower()
    if kind in ("x86_64", "amd64"):
        return ["x86_64_v2", "x86_64_v3", "x86_64_v4"]
    return ["neon"] if kind in ("aarch64", "arm64") else ["baseline"]


def build(program: str, instruction_set: str, with_core: bool) -> Path:
    """Return `program`, of kernels/PROGRAM.cpp and kernels/peak.cpp, linked with the core if it asks for that."""
    always, by_set = flags()
    own = [*by_set.get(instruction_set, []), f"-DHILLWALKER_ISA={instruction_set}"]
    sources = [(HERE / f"{name}.cpp", own, f"{name}-{instruction_set}") for name in (program, "peak")]
    if with_core:
        for path in sorted((ROOT / "core").glob("*.cpp")):
            if path.stem != "bindings":
                sources.append((path, [], path.stem))
        for name in instruction_sets():
            sources.append((ROOT / "core" / "isa" / f"{name}.cpp", by_set.get(name, []), name))
    objects = [_compiled(source, [*always, *own_flags], name) for source, own_flags, name in sources]
    target = _folder() / f"{program}-{instruction_set}"
    if not target.exists() or target.stat().st_mtime < max(made.stat().st_mtime for made in objects):
        subprocess.run([*compiler(), "-o", str(target), *map(str, objects), "-pthread"], check=True)
    return target


def _folder() -> Path:
    """Return a folder for each compiler: what two of them made does not mix."""
    folder = OBJECTS / re.sub(r"\W+", "-", compiler_version())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _compiled(source: Path, own_flags: list[str], name: str) -> Path:
    target = _folder() / f"{name}.o"
    needs, said = target.with_suffix(".d"), target.with_suffix(".flags")
    words = " ".join(own_flags)
    if target.exists() and needs.exists() and said.exists() and said.read_text() == words:
        files = needs.read_text().replace("\\\n", " ").partition(": ")[2].split()
        if all(Path(file).exists() and Path(file).stat().st_mtime < target.stat().st_mtime for file in files):
            return target
    print(f"compiling {source.relative_to(ROOT)} ({name})", file=sys.stderr)
    command = [*compiler(), *own_flags, "-MMD", "-MF", str(needs), "-c", str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    said.write_text(words)
    return target
