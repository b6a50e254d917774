"""The name of the way in which inputs are made from a signature."""

from typing import Final

VERSION: Final = "made-inputs/1"
"""Changes whenever the same signature would give other inputs; the digest of made inputs is a digest of it."""
