"""The engine judges the zoo's models right: a sample of them in every run, all of them in their own."""

import os

import pytest
import rich.console

from tests.zoo import __main__ as program
from tests.zoo import catalogue, entries, quotes, reports, results, situations

SEED = int(os.environ.get("ZOO_SEED", "1"))
SAMPLE = (
    "dense-signals",
    "dense-class-id",
    "dense-sampling",
    "dense-rare-event",
    "tabular-named",
    "text-sentences",
    "dense-traced-example",
    "dense-scaled-twice",
    "dense-nan",
    "dense-index-missing",
    "conv-bgr",
    "tabular-feature-order",
    "dense-drift",
)
FAULTS = [entry for entry in catalogue.ENTRIES if entry.kind is entries.Kind.Fault]
HEALTHY = [entry for entry in catalogue.ENTRIES if entry.kind is entries.Kind.Healthy]


@pytest.fixture(scope="module")
def sample() -> list[results.Result]:
    return program.run(SAMPLE, (SEED,), jobs=1)


def shown(found: list[results.Result]) -> str:
    console = rich.console.Console(width=180)
    with console.capture() as captured:
        reports.show(console, found)
    return captured.get()


def test_the_sample_holds_what_all_of_the_zoo_must_hold(sample):
    assert results.broken_promises(sample) == [], shown(sample)


def test_each_fault_of_the_sample_is_named(sample):
    wrong = [result for result in sample if result.counts_for_causes and not result.names_cause]

    assert wrong == [], shown(wrong)


@pytest.mark.zoo
@pytest.mark.timeout(1500)
def test_every_model_of_the_zoo_is_judged_right():
    found = program.run((), (SEED,), jobs=2)
    reports.write_json(program.REPORTS / "report.json", found)
    reports.draw(program.REPORTS / "matrix.png", found)

    assert results.broken_promises(found) == [], shown(found)
    said = {name: quotes.masked(quotes.said_of(result)) for name, result in quotes.by_name(found).items()}
    for quote in quotes.find() if SEED == 1 else ():
        assert quotes.masked(quote.text) == said[quote.name], f"{quote.page}: run python -m tests.zoo.quotes"


def test_every_page_of_a_situation_quotes_models_of_the_zoo():
    found = list(quotes.find())
    assert {quote.page for quote in found} == {page.name for page in quotes.PAGES.glob("*.md")}
    assert {quote.name for quote in found} <= {entry.name for entry in catalogue.ENTRIES}
    assert all(quote.text.startswith("Fail (") for quote in found)


@pytest.mark.parametrize("situation", situations.FAULTS)
def test_every_fault_of_the_list_is_in_the_zoo(situation):
    assert [entry.name for entry in FAULTS if entry.situation.startswith(situation)], situation


@pytest.mark.parametrize("situation", situations.TEMPTING)
def test_every_healthy_temptation_of_the_list_is_in_the_zoo(situation):
    assert [entry.name for entry in HEALTHY if entry.situation.startswith(situation)], situation


def test_no_fault_is_beside_the_list():
    assert [entry.name for entry in FAULTS if not entry.situation.startswith(situations.FAULTS)] == []


def test_fifteen_faults_and_more_are_in_a_second_architecture():
    architectures = {
        situation: {entry.architecture for entry in FAULTS if entry.situation.startswith(situation)}
        for situation in situations.FAULTS
    }
    assert sum(len(found) > 1 for found in architectures.values()) >= 15


def test_there_are_forty_five_healthy_models():
    assert len(HEALTHY) >= 45


def test_what_is_undecidable_says_why():
    for entry in FAULTS:
        assert entry.same_output or not entry.undecidable, entry.name
        assert all(len(reason) > 20 for reason in entry.undecidable.values()), entry.name


def test_the_page_of_the_zoo_gives_the_reason_for_each_that_is_undecidable():
    page = (quotes.PAGES.parents[1] / "zoo.md").read_text()
    for entry in FAULTS:
        for reason in entry.undecidable.values():
            assert f"`{entry.name}`" in page, entry.name
            assert reason in page or "made masks hold" in reason, reason
