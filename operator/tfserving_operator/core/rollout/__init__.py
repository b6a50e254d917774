"""The rollout of one ModelDeployment as a pure decision: see `decisions`."""

from tfserving_operator.core.rollout.decisions import decide

__all__ = ["decide"]
