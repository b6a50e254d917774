"""Sentences and token ids: tokenizers, vocabularies, padding and masks."""

from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tfserving_operator.core.smoke.causes import Cause

documents: Any = lazily.Module("tests.zoo.documents")
tf: Any = lazily.Module("tensorflow")
keras: Any = lazily.Module("keras")
networks: Any = lazily.Module("tests.zoo.networks")
fault, healthy = entries.fault, entries.healthy
VOCABULARY: Final = "words.vocab"


def sentences(
    shop: Any, answer: Any = None, *, texts: Any = None, words: Any = None, **more: Any
) -> entries.Specimen:
    """Export a model that takes whole sentences; `answer` gets the table and the sentences."""
    pipeline = shop.trained.texts
    path = shop.file(VOCABULARY)
    if words is not None:
        path.write_text("".join(word + "\n" for word in words))
    table = pipeline.table(path)
    chosen = answer or (lambda table, text: pipeline.answer(pipeline.look_up(table, text)))
    shop.export(
        lambda text: {"probabilities": chosen(table, text)},
        networks.spec("text", dtype=tf.string),
        variables=[*pipeline.variables, table],
    )
    return _specimen(shop, texts or pipeline.texts, **more)


def _specimen(shop: Any, texts: Any, **more: Any) -> entries.Specimen:
    pipeline = shop.trained.texts
    golden = np.asarray(pipeline.answer(np.array([pipeline.encode(text) for text in texts])))
    fields = {"rows": list(texts), "golden": {"probabilities": golden}, "records": {}}
    return entries.Specimen(**(fields | more))


def _provenance(shop: Any) -> dict[str, Any]:
    """The vocabulary that the goldens were recorded with."""
    path = shop.file("trained.vocab")
    path.write_text("".join(word + "\n" for word in shop.trained.texts.words))
    return {"assets": {VOCABULARY: documents.file_digest(path)}, "vocabularies": [VOCABULARY]}


def _tokens(shop: Any, texts: Any, rows: Any, **more: Any) -> entries.Specimen:
    """Export a model that takes words, padded with empty ones."""
    pipeline = shop.trained.texts
    table = pipeline.table(shop.file(VOCABULARY))

    def answer(words: Any) -> Any:
        ids = tf.where(words == "", tf.cast(0, tf.int64), table.lookup(words) + pipeline.FIRST)
        return {"probabilities": pipeline.answer(ids)}

    spec = networks.spec("tokens", None, dtype=tf.string)
    shop.export(answer, spec, variables=[*pipeline.variables, table])
    return _specimen(shop, texts, rows=rows, groups=(1,) * len(rows), **more)


def _padded(pipeline: Any, text: str) -> list[str]:
    words = text.split()
    return words + [""] * (pipeline.LENGTH - len(words))


def _healthy_tokens(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.texts
    return _tokens(shop, pipeline.texts, [_padded(pipeline, text) for text in pipeline.texts])


def _raw_text(shop: Any) -> entries.Specimen:
    """Clients send the text as one token."""
    return _tokens(shop, shop.trained.texts.texts, [[text] for text in shop.trained.texts.texts])


def _raw_text_padded(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.texts
    rows = [[text] + [""] * (pipeline.LENGTH - 1) for text in pipeline.texts]
    return _tokens(shop, pipeline.texts, rows)


def _capitals(shop: Any) -> entries.Specimen:
    """Training lowers, the export does not, and clients write in capitals."""
    pipeline = shop.trained.texts
    texts = [text.upper() for text in pipeline.texts]
    return sentences(
        shop, lambda table, text: pipeline.answer(pipeline.look_up(table, text, lower=False)), texts=texts
    )


def _titles(shop: Any) -> entries.Specimen:
    """Titles: training lowers and the export does not."""
    pipeline = shop.trained.texts
    texts = [text.title() for text in pipeline.texts]
    return sentences(
        shop, lambda table, text: pipeline.answer(pipeline.look_up(table, text, lower=False)), texts=texts
    )


def _shifted_in_graph(shop: Any) -> entries.Specimen:
    """The tokenizer that is exported counts from another first id."""
    pipeline = shop.trained.texts

    def answer(table: Any, text: Any) -> Any:
        ids = pipeline.look_up(table, text)
        return pipeline.answer(tf.where(ids == 0, ids, ids + 1))

    return sentences(shop, answer)


def ids(shop: Any, change: Any = None, *, rows: Any = None, **more: Any) -> entries.Specimen:
    """Export a model that takes token ids."""
    pipeline = shop.trained.texts
    shop.export(
        lambda raw: {"probabilities": (change or (lambda p, x: p.answer(x)))(pipeline, raw)},
        networks.spec("ids", pipeline.LENGTH, dtype=tf.int64),
        variables=pipeline.variables,
    )
    fields = {"rows": pipeline.rows.tolist() if rows is None else rows, "records": {"ids": pipeline.train_x}}
    return shop.specimen(pipeline, **(fields | more))


def _shifted_ids(shop: Any) -> entries.Specimen:
    """Clients' tokenizer counts unknown as 0 and words from 1, and pads with 0 as well; training had one more."""
    rows = np.maximum(shop.trained.texts.rows - 1, 0)
    return ids(shop, rows=rows.tolist())


def _other_vocabulary(shop: Any) -> entries.Specimen:
    """The words of another version: some new ones at the front, some old ones gone."""
    words = ["novel", "fresh", "recent", *shop.trained.texts.words[:-3]]
    return sentences(shop, words=words, provenance=_provenance(shop))


def _reordered_vocabulary(shop: Any) -> entries.Specimen:
    words = sorted(shop.trained.texts.words)
    return sentences(shop, words=words, provenance=_provenance(shop))


def _padding_counts(shop: Any) -> entries.Specimen:
    """Sentences are padded to the longest of their batch, and the mean is over the padding too."""
    pipeline = shop.trained.texts

    def answer(table: Any, text: Any, *, together: bool = True) -> Any:
        words = tf.strings.split(text).to_tensor(default_value="", shape=[None, None] if together else None)
        found = tf.where(words == "", tf.cast(0, tf.int64), table.lookup(words) + pipeline.FIRST)
        mean = tf.reduce_mean(tf.gather(pipeline.weights["embeddings"], found), axis=1)
        return tf.nn.softmax(mean @ pipeline.weights["w"] + pipeline.weights["b"])

    texts = pipeline.texts
    table = pipeline.table(shop.file(VOCABULARY))
    golden = np.concatenate([answer(table, tf.constant([text])) for text in texts])
    order = sorted(range(8), key=lambda i: len(texts[i].split()))
    order = [*order[1:6], order[0], order[6], order[7]]
    chosen = [texts[i] for i in order]
    return sentences(shop, answer, texts=chosen, golden={"probabilities": golden[order]})


_STRINGS: Final = {"has_made_inputs": False}

ENTRIES: Final = (
    healthy("text-sentences", sentences, "whole sentences and a vocabulary", **_STRINGS),
    healthy("text-tokens", _healthy_tokens, "words as input, ragged ones padded", **_STRINGS),
    healthy("text-ids", ids, "token ids, an embedding look-up"),
    fault(
        "text-raw",
        _raw_text,
        "raw text sent to a tokenised model",
        Cause.RawText,
        same_output=True,
        **_STRINGS,
    ),
    fault(
        "text-raw-padded",
        _raw_text_padded,
        "raw text sent to a tokenised model",
        Cause.RawText,
        same_output=True,
        **_STRINGS,
    ),
    fault(
        "text-capitals",
        _capitals,
        "all words out of vocabulary",
        Cause.OutOfVocabulary,
        same_output=True,
        **_STRINGS,
    ),
    fault(
        "text-titles",
        _titles,
        "all words out of vocabulary",
        Cause.OutOfVocabulary,
        same_output=True,
        **_STRINGS,
    ),
    fault(
        "text-ids-shifted",
        _shifted_ids,
        "tokenizer version where unknown is 0 rather than -1 (ids shifted by one)",
        Cause.TokenIdsShifted,
    ),
    fault(
        "text-tokenizer-shifted",
        _shifted_in_graph,
        "tokenizer version where unknown is 0 rather than -1 (ids shifted by one), in the graph",
        Cause.TokenIdsShifted,
        **_STRINGS,
    ),
    fault(
        "text-other-vocabulary",
        _other_vocabulary,
        "vocabulary of another version",
        Cause.VocabularyMismatch,
        **_STRINGS,
    ),
    fault(
        "text-reordered-vocabulary",
        _reordered_vocabulary,
        "vocabulary of another version",
        Cause.VocabularyMismatch,
        **_STRINGS,
    ),
    fault(
        "text-padding",
        _padding_counts,
        "batch prediction against single prediction (padding)",
        Cause.BatchDependent,
        **_STRINGS,
    ),
)
