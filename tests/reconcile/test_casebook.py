import json

import pytest

from tests.support import smoketests
from tfserving_operator.adapters import errors
from tfserving_operator.core.smoke import cases, plans
from tfserving_operator.reconcile import casebook


class Maps:
    """A client that knows some ConfigMaps, and counts how often it is asked."""

    def __init__(self, **known: dict[str, object]) -> None:
        self.known = known
        self.asked = 0

    async def get(self, _resource: object, *, namespace: str, name: str) -> dict[str, object]:
        self.asked += 1
        if name not in self.known:
            raise errors.NotFoundError("not there")
        return self.known[name]


def request(*maps: str) -> plans.TestRequest:

    wanted = plans.SpecCases(inline=(), config_maps=tuple((name, "c.json") for name in maps))
    return smoketests.request(cases=wanted)


def listed(name: str, count: int) -> dict[str, object]:
    return {"data": {"c.json": json.dumps([{"name": name, "instances": [[float(i) for i in range(count)]]}])}}


async def test_only_so_many_bytes_of_smoke_inputs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(casebook, "REMEMBERED_BYTES", 5000)
    maps = Maps(a=listed("a", 300), b=listed("b", 300), c=listed("c", 2000))
    book = casebook.Casebook(client=maps, pinned=lambda namespace, name: None)  # type: ignore[arg-type]

    for name in "abc":
        await book.resolve("uid", request(name))
        assert book._size() <= 5000 or len(book._known) == 1

    assert [found.cases[0].name for found in book._known.values()] == ["c"]


async def test_several_config_maps_add_up_and_the_same_name_twice_is_refused() -> None:
    maps = Maps(a=listed("a", 2), b=listed("b", 2), other=listed("a", 2))
    book = casebook.Casebook(client=maps, pinned=lambda namespace, name: None)  # type: ignore[arg-type]

    found = await book.resolve("uid", request("a", "b"))
    assert [case.name for case in found.cases] == ["a", "b"]
    with pytest.raises(cases.InvalidCases, match='two smoke cases have the name "a"'):
        await book.resolve("uid", request("a", "other"))
    with pytest.raises(casebook.CasesMissingError, match="configmap gone is not there"):
        await book.resolve("uid", request("gone"))
