"""The command line."""

import sys
from pathlib import Path
from typing import Any

import click

import tfserving_operator
from tfserving_operator import config as configuration
from tfserving_operator.api import constants
from tfserving_operator.cli import exits

# Each command imports what it needs: `inspect` runs in a small container and must not load the operator.

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


_LAZY = {
    "golden": "tfserving_operator.cli.golden:golden",
    "smoke": "tfserving_operator.cli.smoke:smoke",
    "validate": "tfserving_operator.cli.validate:validate",
    "wait": "tfserving_operator.cli.wait:wait",
}


@click.group(cls=exits.Group, lazy=_LAZY)
@click.version_option(tfserving_operator.__version__, prog_name="tfserving-operator")
def main() -> None:
    """Serve TensorFlow models that have proved themselves."""


@main.command()
@click.option("--config", "config_path", type=_FILE, help="Settings as YAML.")
@click.option("--kubeconfig", type=_FILE, help="Default: $KUBECONFIG, the pod's account, ~/.kube/config.")
@click.option("--context", help="Context of the kubeconfig. Default: its current one.")
@click.option("--namespace", "namespaces", multiple=True, help="Serve only this namespace; may be repeated.")
@click.option("--log-format", type=click.Choice(["json", "console"]), help="Default: json.")
@click.option(
    "--http-port", type=click.IntRange(0, 65535), help="Of probes and metrics. Default: 8080; 0: none."
)
@click.option("--leader-election/--no-leader-election", default=None, help="Default: on.")
def run(config_path: Path | None, kubeconfig: Path | None, context: str | None, **given: Any) -> None:
    """Run the operator."""
    import uvloop  # noqa: PLC0415

    from tfserving_operator.adapters import errors, logs  # noqa: PLC0415
    from tfserving_operator.adapters.kube import login  # noqa: PLC0415
    from tfserving_operator.handlers import operation  # noqa: PLC0415

    overrides = {
        "watchNamespaces": given["namespaces"] or None,
        "logFormat": given["log_format"],
        "httpPort": given["http_port"],
        "leaderElection": given["leader_election"],
    }
    try:
        config = configuration.Config.load(
            config_path, overrides={name: value for name, value in overrides.items() if value is not None}
        )
        account = login.load(kubeconfig=kubeconfig, context=context)
    except (configuration.ConfigError, errors.LoginError) as error:
        raise click.ClickException(str(error)) from error
    logs.configure(logs.Format(config.log_format))
    sys.exit(uvloop.run(operation.operate(config, account)))


@main.command()
@click.option(
    "--model-dir", type=click.Path(path_type=Path), required=True, help="Holds the version folders."
)
@click.option("--version", "version", type=int, required=True, help="The version folder to read.")
@click.option("--expect-digest-file", type=click.Path(path_type=Path), help="The digest that it must have.")
@click.option("--signature", default="", help="The one that predictions ask for; clues are about it.")
@click.option(
    "--memory-limit",
    default=0,
    envvar=constants.ENV_SERVER_MEMORY_LIMIT,
    help="The server's, in bytes; 0 = unknown.",
)
@click.option(
    "--resource-policy", type=click.Choice(["Enforce", "Warn"]), default="Enforce", show_default=True
)
@click.option(
    "--weights-elsewhere", is_flag=True, help="The weights are on a GPU, or mapped from their file."
)
def inspect(
    *,
    model_dir: Path,
    version: int,
    expect_digest_file: Path | None,
    signature: str,
    memory_limit: int,
    resource_policy: str,
    weights_elsewhere: bool,
) -> None:
    """Read a SavedModel and report through the termination message."""
    from tfserving_operator import inspector  # noqa: PLC0415

    limit = inspector.Limit(
        memory_bytes=memory_limit, enforced=resource_policy == "Enforce", weights_elsewhere=weights_elsewhere
    )
    sys.exit(inspector.main(model_dir, version, expect_digest_file, signature, limit))
