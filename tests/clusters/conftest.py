"""Keeps pytest out of this folder unless it is named: Ray is large, and `scripts/test-clusters` installs it."""

from __future__ import annotations

from pathlib import Path


def pytest_ignore_collect(collection_path: Path, config) -> bool | None:
    """Return True for what nobody has asked for."""
    asked = any("clusters" in str(argument) for argument in config.args)
    return None if asked else True
