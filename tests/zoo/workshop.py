"""Where one model is built: its folder, its seed, and the trained pipelines that builders share."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tests.zoo import backbones, entries, languages, networks, normalised, pipelines, tables

CANDIDATE = 2
PREVIOUS = 1
Array = np.ndarray[Any, Any]


class Pipelines:
    """Every pipeline of one seed, trained when it is first asked for."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def random(self, purpose: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))

    @cached_property
    def signals(self) -> pipelines.Signals:
        return pipelines.Signals(self.random("signals"))

    @cached_property
    def bright_pixels(self) -> pipelines.BrightPixels:
        return pipelines.BrightPixels(self.random("bright_pixels"))

    @cached_property
    def unbalanced_pixels(self) -> pipelines.Pixels:
        return pipelines.Pixels(self.random("pixels"), steps=25, weights=np.array([96.0, 1, 1, 1, 1]))

    @cached_property
    def normalised_signals(self) -> normalised.Signals:
        return normalised.Signals(self.random("normalised"))

    @cached_property
    def normalised_pictures(self) -> normalised.Pictures:
        return normalised.Pictures(self.random("normalised_pictures"))

    @cached_property
    def resnet(self) -> backbones.Backbone:
        return backbones.Backbone(self.random("resnet"), "ResNet50", 224)

    @cached_property
    def inception(self) -> backbones.Backbone:
        return backbones.Backbone(self.random("inception"), "InceptionV3", 299)

    @cached_property
    def pixels(self) -> pipelines.Pixels:
        return pipelines.Pixels(self.random("pixels"))

    @cached_property
    def pictures(self) -> pipelines.Pictures:
        return pipelines.Pictures(self.random("pictures"))

    @cached_property
    def texts(self) -> languages.Texts:
        return languages.Texts(self.random("texts"))

    @cached_property
    def series(self) -> languages.Series:
        return languages.Series(self.random("series"))

    @cached_property
    def customers(self) -> tables.Customers:
        return tables.Customers(self.random("customers"))


class Shop:
    """What a builder works with."""

    def __init__(self, name: str, folder: Path, trained: Pipelines) -> None:
        self.folder = folder
        self.trained = trained
        self.random = trained.random(name)
        (folder / "files").mkdir(parents=True, exist_ok=True)

    def file(self, name: str) -> Path:
        """A path for an asset before it is exported."""
        return self.folder / "files" / name

    def version(self, number: int = CANDIDATE) -> Path:
        return self.folder / "model" / str(number)

    def export(self, answer: networks.Answer, *specs: Any, version: int = CANDIDATE, **more: Any) -> None:
        networks.export(self.version(version), answer, *specs, **more)

    def probabilities(
        self,
        pipeline: pipelines.Classifier,
        answer: Callable[[Any], Any],
        *,
        variables: Any = (),
        spec: Any = None,
        **more: Any,
    ) -> None:
        """Export a classifier of the pipeline's raw records by what it answers to a batch of them."""
        self.export(
            lambda raw: {"probabilities": answer(raw)},
            spec or networks.spec("x", *pipeline.x.shape[1:], dtype=pipeline.x.dtype),
            variables=[*pipeline.variables, *variables],
            **more,
        )

    @staticmethod
    def specimen(pipeline: pipelines.Classifier, **more: Any) -> entries.Specimen:
        """The pipeline's raw records and what it answers."""
        fields = {
            "rows": plain(pipeline.rows),
            "golden": {"probabilities": pipeline.golden},
            "records": {"x": pipeline.train_x},
        }
        return entries.Specimen(**(fields | more))


def plain(rows: Any) -> Any:
    """As JSON writes it: whole floats as they are, no more digits than float32 holds."""
    array = np.asarray(rows)
    if array.dtype.kind == "f":
        return [_short(row) for row in array]
    return array.tolist()


def _short(row: Any) -> Any:
    return [_short(each) for each in row] if row.ndim else float(np.format_float_positional(row))
