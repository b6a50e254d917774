"""Goldens as people keep them: a cases file, and the ConfigMap that `smoke.casesFrom` names."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tfserving_operator.api import constants
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases
from tfserving_operator.core.smoke import provenance as provenances
from tfserving_operator.golden import errors, pipelines, recording, records, references, savedmodels
from tfserving_operator.inspector import command as inspector

KEY: Final = "cases.json"
CONFIG_MAP_BYTES: Final = 1_000_000
"""etcd bounds an object at 1 MiB."""


def provenance(
    reference: references.Reference,
    rows: Sequence[records.Record],
    *,
    saved_model: Path | None,
    signature_name: str,
) -> cases.Provenance:
    """Tell where goldens come from: what a later mismatch is compared with."""
    found = inspect(saved_model) if saved_model else None
    signature = found.signatures.get(signature_name) if found else None
    if signature is not None:
        inputs: Sequence[str] = tuple(signature.inputs)
    else:
        inputs = tuple(rows[0]) if isinstance(rows[0], dict) and set(rows[0]) != {"b64"} else ("",)
    assets = found.assets if found else {}
    return cases.Provenance(
        tensorflow_version=reference.tensorflow_version
        if isinstance(reference, savedmodels.SavedModel)
        else "",
        model_digest=found.digest if found else "",
        pipeline_digest=reference.digest if isinstance(reference, pipelines.Pipeline) else "",
        signature=signature,
        signature_name=signature_name if signature else "",
        inputs=recording.statistics(rows, inputs),
        assets={name: asset.digest for name, asset in assets.items()},
        vocabularies=tuple(name for name, asset in assets.items() if asset.is_vocabulary),
    )


def inspect(saved_model: Path) -> inspection.Inspection:
    """Inspect a version folder, as the operator does.

    Raises
    ------
    GoldenError
        When it is no version folder of a SavedModel.
    """
    folder = saved_model.resolve()
    if not folder.name.isdecimal():
        raise errors.GoldenError(
            f"{saved_model} is no version folder: its name must be a number, such as resnet/7"
        )
    found = inspector.inspect(folder.parent, int(folder.name))
    if found.reason:
        raise errors.GoldenError(found.message)
    return found


def cases_document(found: Sequence[cases.Case], provenance: cases.Provenance) -> str:
    """Write a cases file: JSON, one case a line, so that a change of one case is a change of one line."""
    lines = ",\n".join(f"  {json.dumps(_written(case), ensure_ascii=False)}" for case in found)
    head = json.dumps(provenances.to_wire(provenance), ensure_ascii=False)
    return f'{{"provenance": {head},\n "cases": [\n{lines}\n]}}\n'


def _written(case: cases.Case) -> dict[str, Any]:
    raw: dict[str, Any] = {"name": case.name, **case.payload}
    if expect := case.expect:
        raw["expect"] = {"rtol": expect.rtol, "atol": expect.atol}
        if expect.outputs:
            raw["expect"]["outputs"] = expect.outputs
        if top_k := expect.top_k:
            raw["expect"]["topK"] = {"output": top_k.output, "k": top_k.k, "classes": top_k.classes}
    return raw


def config_map(name: str, namespace: str | None, body: str) -> str:
    """Write the ConfigMap.

    Raises
    ------
    GoldenError
        When the goldens are too large for one.
    """
    if len(body.encode()) > CONFIG_MAP_BYTES:
        raise errors.GoldenError(
            f"the goldens come to {len(body.encode())} bytes, more than a ConfigMap holds ({CONFIG_MAP_BYTES}):"
            " lower --max-cases, or record in several files and name each in smoke.casesFrom"
        )
    metadata: dict[str, Any] = {"name": name, "labels": {constants.LABEL_SMOKE_CASES: "true"}}
    if namespace:
        metadata["namespace"] = namespace
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: body}}
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20)


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, so that a diff shows the case that changed."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
