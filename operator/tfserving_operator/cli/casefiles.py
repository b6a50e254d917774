"""Cases as files on the command line: cases files, and the ConfigMaps that hold them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from tfserving_operator.core.smoke import cases


def read(paths: Sequence[Path]) -> cases.ResolvedCases:
    """Read cases files, or manifests of ConfigMaps, whose every key is a cases file.

    Raises
    ------
    click.UsageError
        When one cannot be used.
    """
    documents: list[tuple[str, str]] = []
    for path in paths:
        documents += _documents(path)
    try:
        return cases.resolve((), documents)
    except cases.InvalidCases as error:
        raise click.UsageError(str(error)) from error


def _documents(path: Path) -> list[tuple[str, str]]:
    text = path.read_text("utf-8", "replace")
    data = _config_map_data(text)
    if data is None:
        return [(str(path), text)]
    return [(f"{path} key {key}", str(value)) for key, value in data.items()]


def _config_map_data(text: str) -> dict[str, Any] | None:
    if "ConfigMap" not in text:
        return None
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    is_config_map = isinstance(raw, dict) and raw.get("kind") == "ConfigMap"
    return dict(raw.get("data") or {}) if is_config_map else None
