"""Modules that are imported when they are first used: the catalogue is read in processes without TensorFlow."""

import importlib
from typing import Any


class Module:
    """Stands for a module until one of its names is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)
