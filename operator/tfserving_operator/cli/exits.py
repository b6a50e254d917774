"""How commands end: the codes, and a group that uses them."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

import click
from typing_extensions import override


class ExitCode(IntEnum):
    """The exit codes of the commands that judge."""

    Pass = 0
    """means everything is as it should be"""
    Fail = 1
    """means the model, the goldens, the file or the rollout are wrong"""
    Inconclusive = 2
    """means it cannot be told, or was not told in time"""
    Usage = 64
    """means the command was called wrongly: EX_USAGE of sysexits.h"""


class Group(click.Group):
    """A group whose usage errors end with 64, so that 2 can mean Inconclusive.

    Commands are given as `module:attribute` and imported when they are called: the inspect container runs one of
    them in a small memory, and must not load the others.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str], **extra: Any) -> None:
        super().__init__(*args, **extra)
        self._lazy = lazy

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._lazy})

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    @override
    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        try:
            code = super().main(args, *rest, **extra)
        except click.UsageError as error:
            error.show()
            sys.exit(ExitCode.Usage)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("Aborted!", err=True)
            sys.exit(ExitCode.Fail)
        sys.exit(code if isinstance(code, int) else ExitCode.Pass)
