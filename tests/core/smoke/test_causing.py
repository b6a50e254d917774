import numpy as np
import pytest

from tests.core.smoke import networks, simulated
from tests.core.smoke.networks import softmax
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases, causes

SEEDS = range(2)
Clue = inspection.Clue


def rows(seed: int, count: int = 8, features: int = 6) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=(count, features))


def one(function: networks.Function) -> simulated.Model:
    return lambda columns: {"y": function(columns["x"])}


def seen(*clues: Clue, **changed: object) -> inspection.Inspection:
    return inspection.Inspection(clues=dict.fromkeys(clues, "some op"), **changed)


# Answers that are not stable


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_without_an_inspection_is_random_outputs(seed: int):
    rng, x = rows(seed)
    network = networks.dense(rng, 6)

    found = simulated.run(one(lambda x: network(x + rng.normal(size=x.shape))), {"x": x}, one(network))

    assert found.cause == "RandomOutputs"
    assert found.requests == 0


@pytest.mark.parametrize(
    ("clue", "cause"),
    [
        (Clue.DropoutActive, "DropoutActive"),
        (Clue.Augmentation, "AugmentationActive"),
        (Clue.RandomOps, "RandomOutputs"),
        (Clue.TimeOps, "TimeDependent"),
    ],
)
def test_what_the_graph_shows_refines_the_cause_of_noise(clue: Clue, cause: str):
    rng, x = rows(1)
    network = networks.dense(rng, 6)

    def noisy(x: np.ndarray) -> np.ndarray:
        return network(x * (rng.random(x.shape) < 0.6))

    found = simulated.run(one(noisy), {"x": x}, one(network), inspected=seen(clue, Clue.RandomOps))

    assert found.cause == cause


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_that_wander_in_one_direction_are_a_drift(seed: int):
    rng, x = rows(seed)
    network = networks.dense(rng, 6, outputs=1)
    calls = [0]
    head = rng.normal(size=6)

    def counting(x: np.ndarray) -> np.ndarray:
        calls[0] += 1
        return (x @ head)[:, None] + 0.01 * calls[0]

    found = simulated.run(one(counting), {"x": x}, one(lambda x: (x @ head)[:, None]))

    assert network is not None
    assert found.cause == "StateDrift"


# Batches


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_that_are_answered_in_reverse_are_out_of_order(seed: int):
    rng, x = rows(seed)
    network = networks.dense(rng, 6)

    found = simulated.run(one(lambda x: network(x)[::-1]), {"x": x}, one(network), rows_each=5)

    assert found.cause == "RowOrder"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_softmax_over_the_batch_is_on_the_wrong_axis(seed: int):
    rng, x = rows(seed)
    weights = rng.normal(size=(6, 3))

    for each in (1, 5):
        found = simulated.run(
            one(lambda x: softmax((x @ weights).T).T),
            {"x": x},
            one(lambda x: softmax(x @ weights)),
            rows_each=each,
        )

        assert found.cause == "WrongAxis", each


@pytest.mark.parametrize("seed", SEEDS)
def test_an_argmax_over_the_batch_is_on_the_wrong_axis(seed: int):
    rng, x = rows(seed)
    weights = rng.normal(size=(6, 3))

    found = simulated.run(
        one(lambda x: np.argmax(x @ weights, axis=0)), {"x": x}, one(lambda x: np.argmax(x @ weights, axis=1))
    )

    assert found.cause == "WrongAxis"


def in_training(rng: np.random.Generator) -> tuple[networks.Function, networks.Function]:
    w1, w2 = rng.normal(size=(6, 8)), rng.normal(size=(8, 3))

    def trained(x: np.ndarray) -> np.ndarray:
        return softmax(np.maximum(x @ w1 / 2.5, 0) @ w2)

    def served(x: np.ndarray) -> np.ndarray:
        z = x @ w1
        return softmax(np.maximum((z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-3), 0) @ w2)

    return trained, served


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("goldens", [True, False])
def test_one_answer_alone_and_others_in_a_batch_is_batch_norm_in_training(seed: int, goldens: bool):
    rng, x = rows(seed)
    trained, served = in_training(rng)

    found = simulated.run(one(served), {"x": x}, one(trained) if goldens else None)

    assert (found.reason, found.cause) == ("IdenticalOutputs", "BatchNormTraining")


@pytest.mark.parametrize("seed", SEEDS)
def test_an_answer_that_depends_on_its_batch_in_another_way_is_batch_dependent(seed: int):
    rng, x = rows(seed)
    network = networks.dense(rng, 6)

    found = simulated.run(
        one(lambda x: network(x - 0.5 * x.mean(axis=0))), {"x": x}, one(network), rows_each=5
    )

    assert found.cause == "BatchDependent"


# Equal answers


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("goldens", [True, False])
def test_units_that_only_far_larger_inputs_reach_are_dead(seed: int, goldens: bool):
    rng, x = rows(seed)
    w1, w2, b2 = rng.normal(size=(6, 8)), rng.normal(size=(8, 3)), rng.normal(size=3)

    def network(x: np.ndarray, bias: float) -> np.ndarray:
        return softmax(np.maximum(x @ w1 + bias, 0) @ w2 / 20 + b2)

    found = simulated.run(
        one(lambda x: network(x, -30.0)), {"x": x}, one(lambda x: network(x, 0.1)) if goldens else None
    )

    assert (found.reason, found.cause) == ("IdenticalOutputs", "DeadActivations")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("variance", [1e13, 1e18])
def test_what_only_huge_inputs_or_last_bits_tell_apart_is_a_collapsed_batch_norm(seed: int, variance: float):
    rng, x = rows(seed)
    w1, w2 = rng.normal(size=(6, 8)), rng.normal(size=(8, 3))
    b1 = rng.normal(size=8)

    def network(x: np.ndarray, variance: float) -> np.ndarray:
        return softmax(np.maximum(x @ w1 / np.sqrt(variance) + b1, 0) @ w2)

    found = simulated.run(
        one(lambda x: network(x, variance)),
        {"x": x},
        one(lambda x: network(x, 1.0)),
        inspected=seen(ops={"Rsqrt": 1, "MatMul": 2}),
    )

    assert found.cause == "CollapsedBatchNorm"


@pytest.mark.parametrize("seed", SEEDS)
def test_an_answer_that_nothing_changes_is_constant(seed: int):
    rng, x = rows(seed)
    answer = rng.random((1, 3))

    found = simulated.run(one(lambda x: np.repeat(answer, len(x), axis=0)), {"x": x})

    assert (found.reason, found.cause) == ("IdenticalOutputs", "ConstantOutput")


@pytest.mark.parametrize(
    ("clue", "cause"),
    [
        (Clue.InputDisconnected, "InputDisconnected"),
        (Clue.ConstantOutput, "ConstantOutput"),
        (Clue.VariablesInitialised, "WeightsReinitialised"),
    ],
)
def test_what_the_graph_shows_refines_the_cause_of_equal_answers(clue: Clue, cause: str):
    rng, x = rows(1)
    answer = rng.random((1, 3))

    found = simulated.run(one(lambda x: np.repeat(answer, len(x), axis=0)), {"x": x}, inspected=seen(clue))

    assert (found.reason, found.cause) == ("IdenticalOutputs", cause)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_saturated_model_differs_with_smaller_inputs(seed: int):
    rng = np.random.default_rng(seed)
    x = rng.integers(100, 256, size=(8, 6)).astype(float)
    w1 = np.abs(rng.normal(size=(6, 8)))
    w2 = rng.normal(size=(8, 3))

    found = simulated.run(one(lambda x: softmax(np.tanh(x @ w1) @ w2)), {"x": x})

    assert (found.reason, found.cause) == ("IdenticalOutputs", "UnscaledInput")
    assert "differ when inputs are divided by" in found.outcome.message


@pytest.mark.parametrize("seed", SEEDS)
def test_one_class_where_the_goldens_name_several_is_dominant(seed: int):
    rng, x = rows(seed)
    weights = rng.normal(size=(6, 3))

    def unbalanced(x: np.ndarray) -> np.ndarray:
        return softmax(x @ rng_weights * 0.2 + np.array([6.0, 0, 0]))

    rng_weights = rng.normal(size=(6, 3))
    found = simulated.run(one(unbalanced), {"x": x}, one(lambda x: softmax(3 * x @ weights)))

    assert found.cause == "DominantClass"


# What the answers and the files tell


@pytest.mark.parametrize("seed", SEEDS)
def test_a_permutation_of_the_classes_is_the_label_order(seed: int):
    rng, x = rows(seed)
    network = networks.dense(rng, 6, outputs=5)

    found = simulated.run(one(lambda x: network(x)[:, [2, 0, 1, 4, 3]]), {"x": x}, one(network))

    assert (found.reason, found.cause, found.requests) == ("GoldenMismatch", "LabelOrder", 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_renaming_of_class_ids_is_the_label_order(seed: int):
    rng, x = rows(seed, count=16)
    network = networks.dense(rng, 6, outputs=4)

    def ids(x: np.ndarray) -> np.ndarray:
        return np.argmax(network(x), axis=1)

    found = simulated.run(one(lambda x: np.array([1, 0, 3, 2])[ids(x)]), {"x": x}, one(ids))

    assert (found.reason, found.cause) == ("GoldenMismatch", "LabelOrder")


def test_few_class_ids_do_not_prove_a_renaming():
    golden = {"y": np.array([0, 1, 2])}
    x = np.arange(6.0).reshape(3, 2)

    found = simulated.run(
        lambda c: {"y": (c["x"][:, 0] / 2 + 1).astype(int) % 3}, {"x": x},
        lambda c: {"y": golden["y"][(c["x"][:, 0] / 2).astype(int)]},
    )  # fmt: skip

    assert (found.reason, found.cause) == ("GoldenMismatch", "")


@pytest.mark.parametrize("seed", SEEDS)
def test_fractions_that_are_cut_on_the_way_in_are_found(seed: int):
    rng, x = rows(seed)
    network = networks.dense(rng, 6)

    cut = simulated.run(one(lambda x: network(np.trunc(x))), {"x": x * 4}, one(network))

    assert (cut.reason, cut.cause) == ("GoldenMismatch", "IntegerTruncation")
    assert "do not change when inputs are cut to whole numbers" in cut.outcome.message


@pytest.mark.parametrize("seed", SEEDS)
def test_float16_in_the_answers_is_low_precision(seed: int):
    rng, x = rows(seed)
    network = networks.dense(rng, 6, outputs=5)

    def half(x: np.ndarray) -> np.ndarray:
        return network(x.astype(np.float16).astype(float)).astype(np.float16).astype(float)

    found = simulated.run(one(half), {"x": x}, one(network), tolerances={"rtol": 1e-5, "atol": 1e-7})

    assert (found.reason, found.cause) == ("GoldenMismatch", "LowPrecision")


def test_another_vocabulary_than_the_goldens_is_a_vocabulary_mismatch():
    rng, x = rows(1)
    asset = inspection.Asset(digest="sha256:b", size=9, lines=3, first="[UNK]", is_vocabulary=True)
    recorded = cases.Provenance(assets={"vocab.txt": "sha256:a"}, vocabularies=("vocab.txt",))
    network, other = networks.dense(rng, 6), networks.dense(rng, 6)

    found = simulated.run(
        one(other), {"x": x}, one(network), inspected=seen(assets={"vocab.txt": asset}), provenance=recorded
    )
    plain = simulated.run(
        one(other),
        {"x": x},
        one(network),
        inspected=seen(assets={"means.csv": inspection.Asset(**{**fields(asset), "is_vocabulary": False})}),
        provenance=cases.Provenance(assets={"means.csv": "sha256:a"}),
    )

    assert (found.cause, found.requests) == ("VocabularyMismatch", 0)
    assert plain.cause == "StaleAsset"


def fields(asset: inspection.Asset) -> dict[str, object]:
    return {name: getattr(asset, name) for name in ("digest", "size", "lines", "first")}


def test_the_active_versions_weights_and_answers_are_stale():
    rng, x = rows(1)
    network, older = networks.dense(rng, 6), networks.dense(rng, 6)

    found = simulated.run(
        one(older),
        {"x": x},
        one(network),
        control=one(older),
        inspected=seen(weights_digest="sha256:a"),
        control_inspected=seen(weights_digest="sha256:a"),
    )

    assert (found.reason, found.cause) == ("GoldenMismatch", "StaleWeights")


@pytest.mark.parametrize("seed", range(3))
def test_another_models_answers_are_not_explained_away(seed: int):
    rng, x = rows(seed, count=12)
    network, other = networks.dense(rng, 6), networks.dense(rng, 6)

    found = simulated.run(one(other), {"x": x}, one(network))

    assert (found.reason, found.cause) == ("GoldenMismatch", "")


def test_every_cause_has_a_remedy():
    assert set(causes.REMEDIES) == set(causes.Cause)
