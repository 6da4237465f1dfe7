"""The scripts here import Keras: `test_keras_scripts.py` runs them with other imports; pytest must not load them."""

collect_ignore_glob = ["[0-9]*.py"]
