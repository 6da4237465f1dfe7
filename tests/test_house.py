"""The house stands as the documents describe it: rooms, versions, packages, and blocks of code that run."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import hillwalker

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "hillwalker"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PEERS = {"keras", "tensorflow", "torch", "jax", "jaxlib"}


def rooms_of_the_table() -> list[set[str]]:
    """Return the rooms of each row in docs/architecture.md, from above to below."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [{name.removesuffix(".py").removesuffix("/") for name in re.findall("`([^`]+)`", row)} for row in rows]


def rooms_of_the_source() -> set[str]:
    modules = {path.stem for path in SOURCE.glob("*.py") if not path.stem.startswith("__")}
    return modules | {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def rooms_of_the_contract() -> list[str]:
    """Return the rooms of the import contract, from above to below in the table's sense."""
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    return [room.strip("() ") for layer in reversed(layers) for room in re.split("[|:]", layer)]


def packages(requirements: list[str]) -> set[str]:
    """Return the names of required packages; an extra of our own, `hillwalker[...]`, counts as what it holds."""
    names: set[str] = set()
    for requirement in requirements:
        own = re.fullmatch(r"hillwalker\[(.+)\]", requirement)
        if own:
            extras = PROJECT["project"]["optional-dependencies"]
            names |= packages([inner for extra in own[1].split(",") for inner in extras[extra]])
        else:
            names.add(re.split("[^A-Za-z0-9_.-]", requirement)[0].lower())
    return names


def test_the_table_names_every_room_that_stands_and_no_other():
    assert set().union(*rooms_of_the_table()) == rooms_of_the_source()


def test_the_import_contract_has_the_tables_order():
    rows = rooms_of_the_table()
    row_of = {room: number for number, row in enumerate(rows) for room in row}
    contract = rooms_of_the_contract()
    assert set(contract) == set(row_of)
    assert contract == sorted(contract, key=lambda room: row_of[room])


def test_only_the_engine_imports_the_core():
    importers = {path.name for path in SOURCE.rglob("*.py") if re.search(r"import.*\b_core\b", path.read_text("utf-8"))}
    assert importers == {"engine.py"}


def test_one_version():
    newest = re.search(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest
    installed = importlib.metadata.version("hillwalker")
    assert hillwalker.__version__ == installed == PROJECT["project"]["version"] == newest[1]


def test_the_core_needs_three_packages():
    assert packages(PROJECT["project"]["dependencies"]) == {"numpy", "safetensors", "rich"}


@pytest.mark.parametrize("extra", ["all", "demo", "test", "check", "docs"])
def test_no_extra_but_parity_brings_a_peer(extra):
    assert not packages([f"hillwalker[{extra}]"]) & PEERS
    assert packages(["hillwalker[parity]"]) & PEERS == {"keras", "torch", "jax"}


def test_an_error_for_a_missing_package_names_an_extra_that_holds_it():
    calls = [
        (path.name, *[argument.value for argument in node.args if isinstance(argument, ast.Constant)])
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("missing_dependency")
    ]
    assert calls
    extras = PROJECT["project"]["optional-dependencies"]
    wrong = [call for call in calls if len(call) == 4 and call[1] not in packages(extras.get(call[3], []))]
    assert wrong == []


def test_import_is_light():
    heavy = {"arch", "autograd", "matplotlib", "narwhals", "pandas", "polars", "rich", "scipy", "sklearn"}
    program = "import sys, hillwalker; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "hillwalker" in loaded
    assert not set(loaded) & (heavy | PEERS)


def test_the_wheel_stays_under_five_megabytes():
    from hillwalker import _core

    files = [Path(_core.__file__), *(path for path in SOURCE.rglob("*") if path.suffix != ".pyc" and path.is_file())]
    assert sum(path.stat().st_size for path in files) < 5_000_000


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_python_block_of_a_document_runs(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for example in Sybil(parsers=[PythonCodeBlockParser(future_imports=["annotations"])]).parse(document):
        example.evaluate()
