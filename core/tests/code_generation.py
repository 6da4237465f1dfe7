"""Checks the machine code of the kernels' inner loops: `python code_generation.py FOLDER`, of scripts/core-tests.sh.

Compiles each file of core/isa to assembly as the build did. The products of the dense layers are the innermost loops
with exactly as many multiplications of whole vectors as the largest tile has sums, each by a number spread over a
vector. They must be there, without scalar arithmetic, and keep what they add up in registers: a loop that does not is
shown. It fails if none does. It does not time anything.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Target(NamedTuple):
    """What the arithmetic of an instruction set looks like in assembly."""

    vector: str  # a multiply-add of whole vectors, or a multiplication where there is no multiply-add
    scalar: str  # the same of single numbers
    spread: str  # one number into all lanes
    sums: int  # how many vectors the largest tile adds up
    memory: str  # a vector kept in memory, for want of registers


ON_X86_STACK = r"^(?=.*\(%r[sb]p\b).*%[xyz]mm"
TARGETS = {
    "x86_64_v2": Target(r"mulp[sd]\s", r"muls[sd]\s", "shufps|unpcklpd|movddup", 12, ON_X86_STACK),
    "x86_64_v3": Target(r"vfmadd\d+p[sd]\s.*%ymm", r"vfmadd\d+s[sd]\s", "broadcast", 12, ON_X86_STACK),
    "x86_64_v4": Target(r"vfmadd\d+p[sd]\s.*%zmm", r"vfmadd\d+s[sd]\s", "broadcast|1to", 16, ON_X86_STACK),
    "neon": Target(r"fmla\s+v\d+\.(4s|2d)", r"fmadd\s", r"ld1r|\bdup\b|fmla.*\[\d\]", 12, r"\bq\d+.*\[sp\b"),
    "baseline": Target(r"f(32x4|64x2)\.mul\b", r"f(32|64)\.mul\b", "splat", 12, "__stack_pointer"),
}


def assembly(command: dict[str, str]) -> list[str]:
    """Return the lines of assembly of one file, compiled as the build compiled it."""
    arguments = [argument for argument in shlex.split(command["command"]) if not argument.startswith("-g")]
    output = Path(command["directory"], f"{Path(command['file']).stem}.s").resolve()
    arguments[arguments.index("-o") + 1] = str(output)
    arguments[arguments.index("-c")] = "-S"
    subprocess.run([*arguments, "-g0"], cwd=command["directory"], check=True)
    return output.read_text().splitlines()


def inner_loops(lines: list[str]) -> list[list[str]]:
    """Return the bodies of the loops that hold no other: from a label to a jump back to it, or loop to end_loop."""
    labels: dict[str, int] = {}
    loops: list[list[str]] = []
    last = -1  # where the latest loop ends: what begins before that holds it
    for number, line in enumerate(lines):
        words = line.split()
        if line.startswith("\t") and words and words[0] == "loop":
            labels["loop"] = number
        elif words and words[0] == "end_loop":
            begin = labels["loop"]
        elif found := re.match(r"(\.?L[\w.]+):", line):
            labels[found[1]] = number
            continue
        elif words and re.match(r"(j[a-z]+|b\.?\w*|cbn?z|tbn?z)$", words[0]) and words[-1] in labels:
            begin = labels[words[-1]]
        else:
            continue
        if words[0] != "loop" and begin > last:
            loops.append(lines[begin + 1 : number + 1])
            last = number
    return loops


def check(name: str, lines: list[str]) -> bool:
    """Print what the products' loops of one instruction set are made of; return whether that is as it should be."""
    target = TARGETS[name]

    def count(pattern: str, loop: list[str]) -> int:
        return sum(re.search(pattern, line) is not None for line in loop)

    products = [
        loop
        for loop in inner_loops(lines)
        if count(target.vector, loop) == target.sums and count(target.spread, loop) >= target.sums // 2 - 1
    ]
    mixed = [loop for loop in products if count(target.scalar, loop)]
    in_memory = [loop for loop in products if count(target.memory, loop)]
    print(
        f"{name}: {len(products)} inner loops of products, {target.sums} vectors a step; "
        f"with scalar arithmetic: {len(mixed)}; with vectors in memory: {len(in_memory)}"
    )
    for loop in [*mixed, *in_memory]:
        print("\n".join(loop))
    return len(products) > len(in_memory) and not mixed


def main() -> None:
    """Check all instruction sets of a build."""
    commands = json.loads(Path(sys.argv[1], "compile_commands.json").read_text())
    results = [
        check(Path(command["file"]).stem, assembly(command))
        for command in commands
        if "isa" in Path(command["file"]).parts
    ]
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
