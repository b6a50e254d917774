"""How much memory a model's server needs at least, and which limit to set."""

from tfserving_operator.core.memory.recommending import recommended_limit

__all__ = ["recommended_limit"]
