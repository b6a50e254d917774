"""What loading a version's folder consists of."""

import dataclasses
import time

from local.modelserver import batching, errors, metrics, runtime, savedmodel, tflite, warmup


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a folder becomes a model.

    Attributes
    ----------
    session
        What every session is made with.
    prefers_tflite, tflite_pool_size
        Whether a TensorFlow Lite model in a folder is run instead of its SavedModel, and how many requests at once.
    is_warmed_up
        Whether recorded requests are replayed first.
    warmup_iterations
        How often each of them is sent, if above 0.
    """

    session: runtime.SessionSettings
    prefers_tflite: bool = False
    tflite_pool_size: int = 1
    is_warmed_up: bool = True
    warmup_iterations: int = 0


class Loader:
    """Loads folders, all in the same way."""

    def __init__(
        self, settings: Settings, batcher: batching.Batcher | None, counted: metrics.Metrics
    ) -> None:
        self._settings = settings
        self._batcher = batcher
        self._counted = counted

    def load(self, path: str) -> savedmodel.SavedModel:
        """Return the model of a version's folder, ready to answer."""
        model = self._open(path)
        if self._batcher is not None:
            self._batcher.wrap(model, path)
        if self._settings.is_warmed_up:
            try:
                warmup.run(model, path, self._counted, iterations=self._settings.warmup_iterations)
            except BaseException:
                model.close()
                raise
        return model

    def _open(self, path: str) -> savedmodel.SavedModel:
        if self._settings.prefers_tflite and tflite.is_in(path):
            return tflite.load(path, self._settings.tflite_pool_size)
        begin = time.monotonic()
        try:
            model = savedmodel.SavedModel.load(path, self._settings.session)
        except errors.ServingError:
            self._counted.load_attempt(path, "fail", time.monotonic() - begin)
            raise
        self._counted.load_attempt(path, "success", time.monotonic() - begin)
        return model
