"""`tfserving-operator validate`: manifests before they are applied, for people, CI and pre-commit."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import click
import yaml

from tfserving_operator.cli import exits
from tfserving_operator.core import snapshot
from tfserving_operator.core.validation import manifests, violations


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    """One ModelDeployment of a file."""

    file: str
    document: int
    namespace: str
    name: str
    violations: tuple[violations.Violation, ...]

    @property
    def is_valid(self) -> bool:
        """Whether there is nothing but warnings."""
        return not any(v.severity is violations.Severity.Error for v in self.violations)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.File("r", encoding="utf-8"))
@click.option(
    "--config",
    "config_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The operator's settings, to judge what the installation allows too.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def validate(files: tuple[TextIO, ...], config_path: Path | None, output: str) -> None:
    """Validate the ModelDeployments in FILES ("-" is standard input); other kinds are left alone.

    Exit code 0: all valid; 1: something is wrong; 64: called wrongly.
    """
    policy = _policy(config_path) if config_path else None
    judged: list[_Judged] = []
    broken: list[tuple[str, str]] = []
    for file in files:
        try:
            judged += _judge(file, policy)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            broken.append((file.name, " ".join(str(error).split())[:300]))
    if output == "json":
        click.echo(json.dumps(_as_json(judged, broken), indent=2))
    else:
        _print(judged, broken)
    is_valid = not broken and all(each.is_valid for each in judged)
    sys.exit(exits.ExitCode.Pass if is_valid else exits.ExitCode.Fail)


def _policy(path: Path) -> snapshot.Policy:
    from tfserving_operator import config as configuration  # noqa: PLC0415
    from tfserving_operator.core import policies  # noqa: PLC0415

    try:
        config = configuration.Config.load(
            path, overrides={}, environ={"TFSERVING_OPERATOR_IMAGE": "unknown"}
        )
    except configuration.ConfigError as error:
        raise click.UsageError(str(error)) from error
    return policies.build_policy(config)


def _judge(file: TextIO, policy: snapshot.Policy | None) -> Iterator[_Judged]:
    for document, raw in enumerate(yaml.safe_load_all(file), start=1):
        for each in _items(raw):
            if manifests.is_ours(each):
                metadata = each.get("metadata")
                named = metadata if isinstance(metadata, dict) else {}
                yield _Judged(
                    file=file.name,
                    document=document,
                    namespace=str(named.get("namespace") or ""),
                    name=str(named.get("name") or ""),
                    violations=manifests.validate(each, policy),
                )


def _items(raw: Any) -> list[Any]:
    """The objects of a document: itself, or what a List holds."""
    if (
        isinstance(raw, dict)
        and str(raw.get("kind", "")).endswith("List")
        and isinstance(raw.get("items"), list)
    ):
        return list(raw["items"])
    return [raw]


def _as_json(judged: list[_Judged], broken: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "valid": not broken and all(each.is_valid for each in judged),
        "objects": [
            {
                "file": each.file,
                "document": each.document,
                "namespace": each.namespace,
                "name": each.name,
                "valid": each.is_valid,
                "violations": [asdict(v) | {"message": v.message} for v in each.violations],
            }
            for each in judged
        ],
        "unreadable": [{"file": file, "message": message} for file, message in broken],
    }


def _print(judged: list[_Judged], broken: list[tuple[str, str]]) -> None:
    for each in judged:
        name = "/".join(part for part in (each.namespace, each.name or "(unnamed)") if part)
        place = f"{each.file}, document {each.document}" if each.document > 1 else each.file
        click.echo(f"{place}: ModelDeployment {name}: {'valid' if each.is_valid else 'invalid'}")
        for violation in each.violations:
            separator = " " if violation.message.startswith("is ") else ": "
            mark = "warning: " if violation.severity is violations.Severity.Warning else ""
            click.echo(f"  {mark}{violation.field}{separator}{violation.message}")
    for file, message in broken:
        click.echo(f"{file}: cannot be read as YAML: {message}")
    wrong = sum(not each.is_valid for each in judged)
    if not judged and not broken:
        click.echo("no ModelDeployment in what was given")
    elif wrong:
        click.echo(f"{wrong} of {len(judged)} ModelDeployments invalid")
