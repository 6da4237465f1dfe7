"""Keeps pytest out of make.py, which needs Keras and PyTorch."""

collect_ignore = ["make.py"]
