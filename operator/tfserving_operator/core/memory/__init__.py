"""How much memory a model's server needs at least, and which limit to set."""

from tfserving_operator.core.memory.floor import BASE_BYTES, Size, floor_bytes, need_bytes
from tfserving_operator.core.memory.recommending import recommended_limit

__all__ = ["BASE_BYTES", "Size", "floor_bytes", "need_bytes", "recommended_limit"]
