import numpy as np
import pytest

from tests.core.smoke import networks, simulated
from tests.core.smoke.networks import Function
from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases
from tfserving_operator.core.smoke.probes import examples

SEEDS = range(2)


def one(function: Function, name: str = "x") -> simulated.Model:
    return lambda columns: {"y": function(columns[name])}


def measured(model: Function, golden: Function | None, x: np.ndarray, **changed: object) -> simulated.Tested:
    return simulated.run(one(model), {"x": x}, one(golden) if golden else None, **changed)


def pixels(rng: np.random.Generator, rows: int = 6) -> np.ndarray:
    """Blobs rather than noise: a colour for each image, and a gradient."""
    colour = rng.uniform(40, 255, size=(rows, 1, 1, 3))
    slope = np.linspace(0.2, 1.0, 10)[None, :, None, None] ** rng.uniform(0.3, 2, size=(rows, 1, 1, 1))
    noise = rng.uniform(0.8, 1.0, size=(rows, 10, 12, 3))
    return np.floor(colour * slope * noise)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("served", "trained", "cause"),
    [
        (lambda x: x, lambda x: x / 255, "UnscaledInput"),
        (lambda x: x, lambda x: x / 127.5 - 1, "UnscaledInput"),
        (lambda x: x / 255 / 255, lambda x: x / 255, "ScaledTwice"),
        (lambda x: (x / 127.5 - 1) / 127.5 - 1, lambda x: x / 127.5 - 1, "ScaledTwice"),
        (lambda x: x[..., ::-1] / 255, lambda x: x / 255, "ChannelOrder"),
    ],
)
def test_the_change_that_restores_the_goldens_of_images_names_the_cause(
    seed: int, served: Function, trained: Function, cause: str
):
    rng = np.random.default_rng(seed)
    network = networks.conv(rng)

    found = measured(lambda x: network(served(x)), lambda x: network(trained(x)), pixels(rng))

    assert (found.outcome.verdict, found.cause) == (reasons.Verdict.Fail, cause)
    assert "agree when" in found.outcome.message


@pytest.mark.parametrize("seed", SEEDS)
def test_two_features_that_changed_places_are_found_before_any_other_order(seed: int):
    rng = np.random.default_rng(seed)
    network = networks.dense(rng, 6)

    found = measured(lambda x: network(x[:, [0, 4, 2, 3, 1, 5]]), network, rng.normal(size=(12, 6)))

    assert (found.reason, found.cause) == ("GoldenMismatch", "FeatureOrder")
    assert "features 1 and 4 of x are swapped" in found.outcome.message


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_of_a_few_features_is_found(seed: int):
    rng = np.random.default_rng(seed)
    network = networks.dense(rng, 6)
    order = rng.permutation(6)

    found = measured(lambda x: network(x[:, order]), network, rng.normal(size=(12, 6)))

    assert (found.reason, found.cause) == ("GoldenMismatch", "FeatureOrder")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("by", [1, -1])
def test_token_ids_that_are_off_by_one_are_found(seed: int, by: int):
    rng = np.random.default_rng(seed)
    network = networks.bag(rng)
    ids = rng.integers(3, 45, size=(10, 7))

    found = measured(lambda x: network(x + by), network, ids)

    assert (found.reason, found.cause) == ("GoldenMismatch", "TokenIdsShifted")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_healthy_model_is_not_probed(seed: int):
    rng = np.random.default_rng(seed)
    network = networks.dense(rng, 6)

    found = measured(network, network, rng.normal(size=(12, 6)))

    assert (found.outcome.verdict, found.cause, found.requests) == (reasons.Verdict.Pass, "", 0)


# Layout


@pytest.mark.parametrize("seed", SEEDS)
def test_images_that_a_model_takes_channels_first_are_refused_and_named(seed: int):
    rng = np.random.default_rng(seed)
    network = networks.conv(rng)
    x = pixels(rng) / 255

    found = simulated.run(
        lambda c: {"y": network(c["x"].transpose(0, 2, 3, 1))},
        {"x": x},
        one(network),
        signature=simulated.signature_of({"x": x}, x=(-1, -1, -1, -1)),
    )

    assert (found.outcome.verdict, found.cause) == (reasons.Verdict.Fail, "ChannelsAxis")


@pytest.mark.parametrize("seed", SEEDS)
def test_values_that_are_laid_out_in_another_order_are_named(seed: int):
    rng = np.random.default_rng(seed)
    network = networks.conv(rng)
    x = pixels(rng) / 255

    found = measured(lambda x: network(x.transpose(0, 3, 1, 2).reshape(x.shape)), network, x)

    assert (found.outcome.verdict, found.cause) == (reasons.Verdict.Fail, "ChannelsAxis")


# Text


WORDS = [
    "red",
    "green",
    "blue",
    "grey",
    "black",
    "white",
    "river",
    "bridge",
    "apple",
    "stone",
    "cloud",
    "paper",
]


def spoken(rng: np.random.Generator, split: bool) -> simulated.Model:
    """A bag of words; it looks up tokens, or splits texts at spaces itself."""
    table = {word: rng.normal(size=6) for word in WORDS}
    head = rng.normal(size=(6, 3)) * 2
    unknown = np.zeros(6)

    def answer(columns: simulated.Columns) -> dict[str, np.ndarray]:
        rows = columns["text"].reshape(len(columns["text"]), -1)
        tokens = [[t for leaf in row for t in (leaf.split() if split else [leaf]) if t] for row in rows]
        means = [np.mean([table.get(t, unknown) for t in row] or [unknown], axis=0) for row in tokens]
        return {"y": networks.softmax(np.stack(means) @ head)}

    return answer


def texts(rng: np.random.Generator, rows: int = 8) -> list[str]:
    return [" ".join(rng.choice(WORDS, size=4, replace=False)) for _ in range(rows)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("goldens", [True, False])
def test_whole_texts_for_a_model_of_tokens_are_raw_text(seed: int, goldens: bool):
    rng = np.random.default_rng(seed)
    said = texts(rng)
    model = spoken(rng, split=False)

    def trained(columns: simulated.Columns) -> dict[str, np.ndarray]:
        tokens = [row[0].split() for row in columns["text"]]
        return dict(model({"text": np.array(tokens, dtype=object)}))

    rows = np.array([[text, "", "", ""] for text in said], dtype=object)

    found = simulated.run(model, {"text": rows}, trained if goldens else None)

    assert found.outcome.reason == "IdenticalOutputs"
    assert found.cause == "RawText"
    assert "split at spaces" in found.outcome.message


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("goldens", [True, False])
def test_capitals_before_a_lower_case_vocabulary_are_out_of_vocabulary(seed: int, goldens: bool):
    rng = np.random.default_rng(seed)
    rows = np.array([text.upper() for text in texts(rng)], dtype=object)
    model = spoken(rng, split=True)

    def trained(columns: simulated.Columns) -> dict[str, np.ndarray]:
        lower = np.array([text.lower() for text in columns["text"]], dtype=object)
        return dict(model({"text": lower}))

    found = simulated.run(model, {"text": rows}, trained if goldens else None)

    assert (found.reason, found.cause) == ("IdenticalOutputs", "OutOfVocabulary")
    assert "lower case" in found.outcome.message


@pytest.mark.parametrize("seed", SEEDS)
def test_words_that_the_vocabulary_has_wake_a_model_that_knows_none_of_those_sent(seed: int):
    rng = np.random.default_rng(seed)
    model = spoken(rng, split=True)
    rows = np.array([f"mot{i} autre{i}" for i in range(6)], dtype=object)
    asset = inspection.Asset(
        digest="sha256:a", size=9, lines=12, first="red", is_vocabulary=True, sample=tuple(WORDS[:6])
    )

    found = simulated.run(model, {"text": rows}, inspected=inspection.Inspection(assets={"vocab.txt": asset}))

    assert (found.reason, found.cause) == ("IdenticalOutputs", "OutOfVocabulary")


# Ids, masks, classes, names


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mask_that_is_read_the_other_way_round_hides_the_sequence(seed: int):
    rng = np.random.default_rng(seed)
    table, head = rng.normal(size=(50, 8)), rng.normal(size=(8, 3)) * 2
    columns = {"ids": rng.integers(1, 50, size=(8, 6)), "mask": np.ones((8, 6), dtype=int)}

    def network(columns: simulated.Columns, inverted: bool) -> dict[str, np.ndarray]:
        kept = (columns["mask"] == (0 if inverted else 1))[..., None]
        mean = (table[columns["ids"]] * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
        return {"y": networks.softmax(mean @ head)}

    for golden in (lambda c: network(c, inverted=False), None):
        found = simulated.run(lambda c: network(c, inverted=True), columns, golden)

        assert (found.reason, found.cause) == ("IdenticalOutputs", "SequenceMasked"), golden


@pytest.mark.parametrize("seed", SEEDS)
def test_indices_for_a_model_of_one_hot_vectors_are_found(seed: int):
    rng = np.random.default_rng(seed)
    head = rng.normal(size=(5, 3))
    x = rng.permutation(np.arange(10) % 5).astype(float)[:, None]

    found = simulated.run(
        lambda c: {"y": networks.softmax(c["x"] @ head)},
        {"x": x},
        lambda c: {"y": networks.softmax(np.eye(5)[c["x"][:, 0].astype(int)] @ head)},
        signature=simulated.signature_of({"x": x}, x=(-1, -1)),
    )

    assert (found.outcome.verdict, found.cause) == (reasons.Verdict.Fail, "OneHotIndex")


@pytest.mark.parametrize("seed", SEEDS)
def test_inputs_under_each_others_names_are_found(seed: int):
    rng = np.random.default_rng(seed)
    network = networks.dense(rng, 4)
    names = ["age", "income", "tenure", "visits"]
    columns = {name: rng.normal(size=(12, 1)) for name in names}

    def answer(columns: simulated.Columns, order: list[int]) -> dict[str, np.ndarray]:
        return {"y": network(np.concatenate([columns[names[i]] for i in order], axis=1))}

    found = simulated.run(lambda c: answer(c, [0, 2, 1, 3]), columns, lambda c: answer(c, [0, 1, 2, 3]))

    assert (found.reason, found.cause) == ("GoldenMismatch", "FeatureOrder")
    assert "inputs income and tenure are swapped" in found.outcome.message


def example(values: dict[str, float]) -> dict[str, str]:
    made = examples._EXAMPLE()
    for name, value in values.items():
        made.features.feature[name].float_list.value.append(value)
    return examples.encode(made)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("goldens", [True, False])
def test_features_under_names_that_the_model_does_not_parse_are_defaulted(seed: int, goldens: bool):
    rng = np.random.default_rng(seed)
    network = networks.dense(rng, 2)

    def parse(columns: simulated.Columns, prefix: str) -> dict[str, np.ndarray]:
        rows = []
        for leaf in columns["examples"]:
            sent = examples.decode(leaf).features.feature
            rows.append([sent[prefix + n].float_list.value[0] if prefix + n in sent else 0.0 for n in "ab"])
        return {"y": network(np.array(rows))}

    leaves = np.empty(8, dtype=object)
    leaves[:] = [example({"a": float(a), "b": float(b)}) for a, b in rng.normal(size=(8, 2))]
    parsed = tuple(
        inspection.Feature(name=f"customer_{n}", dtype="DT_FLOAT", shape=(1,), has_default=True) for n in "ab"
    )

    found = simulated.run(
        lambda c: parse(c, "customer_"),
        {"examples": leaves},
        (lambda c: parse(c, "")) if goldens else None,
        inspected=inspection.Inspection(features={"serving_default": parsed}),
    )

    assert (found.reason, found.cause) == ("IdenticalOutputs", "FeaturesDefaulted")


# Scalers


def customers(seed: int, rows: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mean, std = rng.normal(size=5) * 3, np.exp(rng.normal(size=5))
    return rng, mean, std, mean + std * rng.normal(size=(rows, 5))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("twice", [True, False])
def test_a_missing_or_second_scaler_shows_by_the_statistics_of_training(seed: int, twice: bool):
    rng, mean, std, x = customers(seed, 8)
    network = networks.dense(rng, 5)
    statistics = cases.Statistics(
        mean=tuple(mean), std=tuple(std), min=tuple(mean - 3 * std), max=tuple(mean + 3 * std), count=1000
    )

    def served(x: np.ndarray) -> np.ndarray:
        return network(((x - mean) / std - mean) / std if twice else x)

    found = measured(
        served,
        lambda x: network((x - mean) / std),
        x,
        provenance=cases.Provenance(inputs={"x": statistics}),
    )

    assert (found.outcome.verdict, found.cause) == (
        reasons.Verdict.Fail,
        "ScaledTwice" if twice else "UnscaledInput",
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scaler_of_other_data_is_fitted_and_held_against_other_goldens(seed: int):
    rng, mean, std, x = customers(seed, 24)
    network = networks.dense(rng, 5)
    other_mean, other_std = mean + std * rng.uniform(-0.5, 0.5, 5), std * rng.uniform(0.6, 1.6, 5)

    found = measured(lambda x: network((x - other_mean) / other_std), lambda x: network((x - mean) / std), x)

    assert found.cause == "ScalerMismatch"
