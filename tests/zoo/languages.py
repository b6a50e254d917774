"""The training pipelines for text and for sequences."""

from typing import Any, Final

import numpy as np
import tensorflow as tf

from tests.zoo import networks, pipelines

Array = np.ndarray[Any, Any]
TOPICS: Final = (
    ("goal", "match", "team", "coach", "league", "score", "player", "season"),
    ("bank", "market", "stock", "price", "fund", "trade", "profit", "share"),
    ("rain", "cloud", "storm", "wind", "snow", "sun", "frost", "heat"),
    ("film", "actor", "stage", "music", "dance", "opera", "scene", "song"),
)
COMMON: Final = ("the", "a", "of", "new", "today", "in", "with", "old", "from", "big", "and", "people")
WORDS: Final = tuple(sorted({*COMMON, *(word for topic in TOPICS for word in topic)}))


class Texts(pipelines.Classifier):
    """Sentences in lower case, split at blanks, looked up in a vocabulary (0 pads, 1 is unknown), averaged."""

    LENGTH: Final = 10
    PAD: Final = 0
    UNKNOWN: Final = 1
    FIRST: Final = 2
    classes = len(TOPICS)

    def __init__(self, random: np.random.Generator, *, steps: int = 80) -> None:
        self.words = [WORDS[i] for i in random.permutation(len(WORDS))]
        count = 400
        y = random.integers(0, self.classes, count)
        self.sentences = np.array([self._sentence(random, topic) for topic in y])
        self.ids = {word: i + self.FIRST for i, word in enumerate(self.words)}
        self._split(np.array([self.encode(text) for text in self.sentences], np.int64), y)
        size = len(self.words) + self.FIRST
        self.weights = {
            "embeddings": networks.variable(random.normal(0.0, 0.5, (size + 2, 8))),
            "w": networks.glorot(random, 8, self.classes),
            "b": networks.variable(np.zeros(self.classes)),
        }
        self.train(steps, rate=0.05)

    def _sentence(self, random: np.random.Generator, topic: int) -> str:
        length = int(random.integers(5, self.LENGTH + 1))
        own = random.choice(TOPICS[topic], 3)
        return " ".join(random.permutation([*own, *random.choice(COMMON, length - 3)]))

    def encode(self, text: str) -> list[int]:
        found = [self.ids.get(word, self.UNKNOWN) for word in text.lower().split()][: self.LENGTH]
        return found + [self.PAD] * (self.LENGTH - len(found))

    def prepare(self, raw: Any) -> tf.Tensor:
        return tf.convert_to_tensor(raw)

    def logits(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        w = weights or self.weights
        mask = tf.cast(prepared != self.PAD, tf.float32)[:, :, None]
        embedded = tf.gather(w["embeddings"], prepared)
        mean = tf.reduce_sum(embedded * mask, axis=1) / (tf.reduce_sum(mask, axis=1) + 1e-6)
        return mean @ w["w"] + w["b"]

    @property
    def texts(self) -> list[str]:
        """The raw sentences of `rows`."""
        return [str(self.sentences[i]) for i in pipelines.spread_over(self.y)]

    def table(self, path: Any, default: int = UNKNOWN, first: int = FIRST) -> Any:
        """A look-up table over a vocabulary file: a word to its id; the file is written where it is not there."""
        if not path.exists():
            path.write_text("".join(word + "\n" for word in self.words))
        source = tf.lookup.TextFileInitializer(
            str(path),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        return tf.lookup.StaticHashTable(source, default - first)

    def look_up(self, table: Any, sentences: Any, *, lower: bool = True) -> tf.Tensor:
        """Sentences to padded ids, in the graph."""
        text = tf.strings.lower(sentences) if lower else sentences
        words = tf.strings.split(text).to_tensor(default_value="", shape=[None, self.LENGTH])
        return tf.where(words == "", tf.cast(self.PAD, tf.int64), table.lookup(words) + self.FIRST)


class Series(pipelines.Classifier):
    """Sequences of two measurements over twelve steps, with a mask; a gated recurrent unit of its own."""

    STEPS: Final = 12
    UNITS: Final = 8
    classes = 3

    def __init__(self, random: np.random.Generator, *, steps: int = 60) -> None:
        count, units = 300, self.UNITS
        y = random.integers(0, self.classes, count)
        time = np.arange(self.STEPS) / self.STEPS
        phase = random.uniform(0.0, 1.0, (count, 1))
        waves = np.stack(
            [np.sin(6.3 * ((y[:, None] + 1) * time + phase)), np.cos(3.1 * y[:, None] * time)], axis=2
        )
        x = waves + random.normal(0.0, 0.15, (count, self.STEPS, 2))
        self._split(np.round(x, 3).astype(np.float32), y)
        self.weights = {
            "wz": networks.glorot(random, 2 + units, units),
            "bz": networks.variable(np.zeros(units)),
            "wh": networks.glorot(random, 2 + units, units),
            "bh": networks.variable(np.zeros(units)),
            "w": networks.glorot(random, units, self.classes),
            "b": networks.variable(np.zeros(self.classes)),
        }
        self.train(steps, rate=0.04)

    def prepare(self, raw: Any) -> tf.Tensor:
        return tf.convert_to_tensor(raw)

    def state(self, prepared: Any, weights: Any = None, mask: Any = None) -> tf.Tensor:
        """The last hidden state; steps whose mask is 0 leave it as it was."""
        w = weights or self.weights
        hidden = tf.zeros([tf.shape(prepared)[0], self.UNITS])
        for t in range(self.STEPS):
            both = tf.concat([prepared[:, t], hidden], axis=1)
            gate = tf.sigmoid(both @ w["wz"] + w["bz"])
            moved = (1.0 - gate) * hidden + gate * tf.tanh(both @ w["wh"] + w["bh"])
            hidden = moved if mask is None else tf.where(mask[:, t, None] > 0, moved, hidden)
        return hidden

    def logits(self, prepared: Any, weights: Any = None, mask: Any = None) -> tf.Tensor:
        w = weights or self.weights
        return self.state(prepared, w, mask) @ w["w"] + w["b"]
