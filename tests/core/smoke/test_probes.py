import numpy as np
import pytest

from tests.core.smoke import networks, simulated
from tests.core.smoke.networks import Function
from tfserving_operator.api import reasons

SEEDS = range(4)


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
