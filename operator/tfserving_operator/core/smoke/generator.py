"""The name of the way in which inputs are made from a signature."""

from typing import Final

VERSION: Final = "made-inputs/2"
"""Changes whenever the same signature would give other inputs; the digest of made inputs is a digest of it.

A revision that passed with made inputs of another version is tested with those of this one: they are made again.
"""
