import subprocess
import sys

from click.testing import CliRunner

from tfserving_operator import cli


def test_the_inspector_loads_neither_kopf_nor_http() -> None:
    code = (
        "import sys; from tfserving_operator import cli, inspector;"
        "print([m for m in ('kopf', 'aiohttp', 'uvloop') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_settings_that_cannot_be_used_end_the_command_with_their_names() -> None:
    done = CliRunner().invoke(cli.main, ["run"], env={"TFSERVING_OPERATOR_IMAGE": ""})
    assert done.exit_code == 1
    assert "no inspectImage" in done.output


def test_a_login_that_is_not_there_ends_the_command_with_what_to_do() -> None:
    environment = {"TFSERVING_OPERATOR_IMAGE": "x", "KUBECONFIG": "/not/there", "KUBERNETES_SERVICE_HOST": ""}
    done = CliRunner().invoke(cli.main, ["run"], env=environment)
    assert done.exit_code == 1
    assert "no kubeconfig" in done.output
