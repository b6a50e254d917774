"""What answers records: the training pipeline, the SavedModel in TensorFlow, or a served endpoint."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tfserving_operator.golden import records

Outputs = Mapping[str, np.ndarray[Any, Any]]
"""By the output's name, batch first."""


class Reference(Protocol):
    """Answers records."""

    @property
    def name(self) -> str:
        """What tables and messages call it."""
        ...

    def predict(self, rows: Sequence[records.Record]) -> Outputs:
        """Answer some records in one batch.

        Raises
        ------
        GoldenError
            When it cannot.
        """
        ...
