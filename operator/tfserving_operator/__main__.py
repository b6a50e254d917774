"""``python -m tfserving_operator``."""

from tfserving_operator import cli

cli.main(prog_name="tfserving-operator")
