"""Keeps pytest out of this folder: these programs need Keras and PyTorch, and `scripts/parity` runs them."""

collect_ignore_glob = ["*.py"]
