"""Disruption budgets, good and bad."""

from tests.support.judged import Input

_WAITS = "so that the drain of a node waits for ever: write 1, or leave it out"
_REMEDY = 'is neither a number of pods nor a percentage: write one like 1 or "25%"'


def _asking(
    value: object, *, said: str = "", server: str | None = None, parses: bool = True, is_refused: bool = True
) -> Input:
    return Input(
        title=f"maxUnavailable {value!r}",
        changes={"disruption": {"maxUnavailable": value}},
        said=(f"spec.disruption.maxUnavailable: {said}",) if said else (),
        parses=parses,
        server=server,
        is_refused=is_refused,
    )


GOOD = [*(_asking(value) for value in (1, 1000, "1%", "25%", "100%")), _asking(None)]
WARNINGS = [
    _asking(value, said=f"{value} forbids every eviction, {_WAITS}", is_refused=False) for value in (0, "0%")
]
BAD = [
    _asking(-1, said=f"-1 {_REMEDY}", server="should be greater than or equal to 0", parses=False),
    _asking("101%", said=f"101% {_REMEDY}", server="should match", parses=False),
    _asking("1", said=f"1 {_REMEDY}", server="should match", parses=False),
    _asking("half", said=f"half {_REMEDY}", server="should match", parses=False),
    _asking("2.5%", said=f"2.5% {_REMEDY}", server="should match", parses=False),
    _asking(True, said=f"True {_REMEDY}", server="must be of type", parses=False),
    _asking(1.5, said=f"1.5 {_REMEDY}", server="must be of type", parses=False),
]
