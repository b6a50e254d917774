"""`tfserving-operator golden`: record goldens where a model was trained, and check what is served against them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfserving_operator.cli import exits

if TYPE_CHECKING:
    from tfserving_operator.core.smoke import cases
    from tfserving_operator.golden import comparing, pipelines, references

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def golden() -> None:
    """Record what a model answers where it was trained, and check what is served against it."""


def _reference_options(command: Any) -> Any:
    for option in (
        click.option(
            "--output", "only_output", default="", help="Name of the output, where the pipeline names none."
        ),
        click.option(
            "--signature", default="serving_default", show_default=True, help="Signature of the model."
        ),
        click.option(
            "--pipeline", help="module:function of the training code: raw record in, prediction out."
        ),
        click.option("--saved-model", type=_FOLDER, help="Version folder, the one with saved_model.pb."),
    ):
        command = option(command)
    return command


@golden.command()
@click.option(
    "--records",
    type=_FILE,
    required=True,
    help="Records as clients send them: .json .jsonl .yaml .csv .npy .npz",
)
@_reference_options
@click.option("--name", required=True, help="Name of the ConfigMap.")
@click.option("--namespace", help="Namespace of the ConfigMap. Default: none is written.")
@click.option(
    "--max-cases", type=click.IntRange(1, 64), default=16, show_default=True, help="Records to keep."
)
@click.option(
    "--top-k",
    type=click.IntRange(1, 100),
    help="Keep the k highest classes. Default: 5, of outputs over 64 values.",
)
@click.option("--full", is_flag=True, help="Keep wide outputs whole.")
@click.option("--rtol", type=click.FloatRange(0), default=1e-3, show_default=True)
@click.option(
    "--atol",
    type=click.FloatRange(0),
    default=1e-5,
    show_default=True,
    help="At least; raised to what is measured.",
)
@click.option(
    "--cases-file", type=click.Path(dir_okay=False, path_type=Path), help="Write a plain cases file too."
)
@click.option(
    "-o",
    "--configmap-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Default: standard output.",
)
def record(records: Path, saved_model: Path | None, pipeline: str | None, **given: Any) -> None:
    """Answer records by a SavedModel in TensorFlow, or by the training pipeline, and write the goldens."""
    from tfserving_operator.golden import documents, errors, recording  # noqa: PLC0415
    from tfserving_operator.golden import records as raw  # noqa: PLC0415

    try:
        reference = _reference(saved_model, pipeline, given["signature"], given["only_output"])
        rows = raw.read(records)
        settings = recording.Settings(
            max_cases=given["max_cases"],
            top_k=given["top_k"],
            full=given["full"],
            rtol=given["rtol"],
            atol=given["atol"],
        )
        made = recording.record(reference, rows, settings)
        provenance = documents.provenance(
            reference, rows, saved_model=saved_model, signature_name=given["signature"]
        )
        body = documents.cases_document(made.cases, provenance)
        manifest = documents.config_map(given["name"], given["namespace"], body)
    except errors.GoldenError as error:
        raise click.ClickException(str(error)) from error
    if given["cases_file"]:
        given["cases_file"].write_text(body)
    if given["configmap_file"]:
        given["configmap_file"].write_text(manifest)
    else:
        click.echo(manifest, nl=False)
    click.echo(_summary(reference.name, len(rows), made), err=True)


def _summary(name: str, count: int, made: Any) -> str:
    text = f"{len(made.cases)} of {count} records are cases now; answered by {name}; atol {made.atol:.3g}"
    if made.spread_between_runs > 0:
        text += f", as its own answers to one record are up to {made.spread_between_runs:.3g} apart"
    return text


def _reference(
    saved_model: Path | None, pipeline: str | None, signature: str, only_output: str
) -> "references.Reference | pipelines.Pipeline":
    from tfserving_operator.golden import pipelines, savedmodels  # noqa: PLC0415

    if pipeline:
        return pipelines.Pipeline.load(pipeline, only_output)
    if saved_model:
        return savedmodels.SavedModel.load(saved_model, signature)
    raise click.UsageError(
        "give --saved-model, --pipeline, or both: the pipeline's answers are then the goldens"
    )


@golden.command()
@click.option(
    "--cases",
    "case_files",
    type=_FILE,
    multiple=True,
    required=True,
    help="Cases file or ConfigMap; may be repeated.",
)
@_reference_options
@click.option("--url", help="Of a served model, such as http://localhost:8501")
@click.option("--model", help="Name of the served model.")
@click.option("--version", "version", type=click.IntRange(1), help="Version of the served model.")
def check(case_files: tuple[Path, ...], saved_model: Path | None, pipeline: str | None, **given: Any) -> None:
    """Compare an endpoint, a SavedModel in TensorFlow or a pipeline with goldens; exit 1 where they differ."""
    from tfserving_operator.cli import casefiles  # noqa: PLC0415
    from tfserving_operator.golden import comparing, errors  # noqa: PLC0415

    found = [case for case in casefiles.read(case_files).cases if case.expect is not None]
    if not found:
        raise click.UsageError("none of the cases has an expect: there is nothing to compare with")
    try:
        if given["url"]:
            answered = _from_endpoint(found, given)
        else:
            reference = _reference(saved_model, pipeline, given["signature"], given["only_output"])
            answered = {case.name: reference.predict(_rows(case)) for case in found}
    except errors.GoldenError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(exits.ExitCode.Inconclusive)
    differences = comparing.compare(found, answered)
    click.echo(_table(differences))
    wrong = [difference for difference in differences if not difference.agrees]
    click.echo(f"{len(differences) - len(wrong)} of {len(differences)} goldens agree")
    sys.exit(exits.ExitCode.Fail if wrong else exits.ExitCode.Pass)


def _from_endpoint(found: "list[cases.Case]", given: dict[str, Any]) -> dict[str, Any]:
    from tfserving_operator.golden import endpoints  # noqa: PLC0415

    if not given["model"] or not given["version"]:
        raise click.UsageError("--url needs --model and --version")
    endpoint = endpoints.Endpoint(
        url=given["url"],
        model=given["model"],
        version=given["version"],
        signature_name=given["signature"],
        only_output=given["only_output"] or _named_output(found),
    )
    return {case.name: endpoint.answer(case) for case in found}


def _named_output(found: "list[cases.Case]") -> str:
    """TensorFlow Serving leaves an only output's name out; the goldens have it."""
    names = {name for case in found if case.expect for name in case.expect.outputs}
    return names.pop() if len(names) == 1 else ""


def _rows(case: "cases.Case") -> list[Any]:
    from tfserving_operator.golden import errors  # noqa: PLC0415

    if case.instances is None:
        raise errors.GoldenError(
            f"case {case.name} is columnar; a pipeline and a SavedModel are asked by rows (instances)"
        )
    return list(case.instances)


def _table(differences: "tuple[comparing.Difference, ...]") -> str:
    import tabulate  # noqa: PLC0415

    rows = [
        (
            d.case,
            d.output,
            "agrees" if d.agrees else "DIFFERS",
            "" if d.largest_absolute is None else f"{d.largest_absolute:.3g}",
            "" if d.largest_relative is None else f"{d.largest_relative:.3g}",
            d.said,
        )
        for d in differences
    ]
    headers = ("case", "output", "", "largest difference", "relative", "where")
    table: str = tabulate.tabulate(
        rows, headers=headers, disable_numparse=True, maxcolwidths=[None, None, None, None, None, 60]
    )
    return table
