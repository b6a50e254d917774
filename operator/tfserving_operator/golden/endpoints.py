"""A served model as a reference: its predict route, over `requests`."""

from collections.abc import Sequence

import numpy as np
import requests

from tfserving_operator.core.smoke import answers, cases, encoding
from tfserving_operator.golden import errors, records, references

TIMEOUT_SECONDS = (5.0, 60.0)
"""To connect, and between two bytes of the answer."""


class Endpoint:
    """One version of a model behind TensorFlow Serving's REST API."""

    def __init__(self, *, url: str, model: str, version: int, signature_name: str, only_output: str) -> None:
        self.name = f"{url} {model} version {version}"
        self._url = f"{url.rstrip('/')}/v1/models/{model}/versions/{version}:predict"
        self._signature_name = signature_name
        self._only_output = only_output

    def predict(self, rows: Sequence[records.Record]) -> references.Outputs:
        """Answer records in one request."""
        return self.answer(cases.Case(name="records", instances=list(rows)))

    def answer(self, case: cases.Case) -> references.Outputs:
        """Answer a case as it is written.

        Raises
        ------
        GoldenError
            When there is no answer, or an error.
        """
        body = encoding.body(case, self._signature_name)
        try:
            got = requests.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise errors.GoldenError(f"{self._url} does not answer: {error}") from error
        read = answers.read(got.status_code, got.content)
        if not read.succeeded:
            said = read.error or read.detail
            raise errors.GoldenError(f"{self._url} answers case {case.name} with HTTP {read.status}: {said}")
        return {name or self._only_output: np.asarray(array) for name, array in read.outputs.items()}
