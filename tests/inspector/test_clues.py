"""What the graphs that TensorFlow and Keras export tell, each with the clues that it must give and no others."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inspector import expectations
from tfserving_operator.core import inspection
from tfserving_operator.core.inspection import Clue, Hint, Reads
from tfserving_operator.core.smoke import inputs
from tfserving_operator.inspector import analysis, command, savedmodel

WORDS = ("the", "cat", "sat", "on", "a", "mat", "dog", "ran")


def looked_at(graphs: Path, model: str, signature: str = "") -> inspection.Inspection:
    return command.inspect(graphs / model, 1, signature=signature)


def test_every_graph_has_its_expectation(graphs: Path):
    exported = {path.name for path in graphs.iterdir() if path.is_dir()}

    assert exported == expectations.CLUES.keys()


@pytest.mark.parametrize("model", sorted(expectations.CLUES))
def test_the_clues_are_those_that_the_graph_gives(graphs: Path, model: str):
    found = looked_at(graphs, model)

    assert (found.reason, found.message) == ("", "")
    assert set(found.clues) == expectations.CLUES[model]


@pytest.mark.parametrize(
    ("model", "clue", "detail"),
    [
        ("disconnected", Clue.InputDisconnected, "no path leads from image (but for its shape) to y"),
        ("disconnected", Clue.ConstantOutput, "y depends on constants and variables only"),
        ("constant", Clue.ConstantOutput, "y depends on constants only"),
        ("frozen_random", Clue.RandomOps, "with a fixed seed"),
        ("v1_loop_dropout", Clue.RandomOps, "without a fixed seed"),
        ("v1_reinitialised", Clue.VariablesInitialised, "assigns 2 variables that predictions read"),
        ("float16", Clue.LowPrecision, "half: Cast x8"),
        ("augmented_rotation", Clue.Augmentation, "ImageProjectiveTransformV3"),
        ("transformer", Clue.MaskInput, "the input attention_mask"),
    ],
)
def test_a_clue_tells_what_it_saw(graphs: Path, model: str, clue: Clue, detail: str):
    assert detail in looked_at(graphs, model).clues[clue]


def test_inputs_and_constant_outputs_beside_others_are_findings(graphs: Path):
    assert looked_at(graphs, "constant_head").findings == ("no output depends on the input unused",)


def test_clues_are_about_the_signature_that_is_asked_for(graphs: Path):
    """`other` answers by constants, and the default signature does not."""
    assert looked_at(graphs, "two_signatures", "other").clues.keys() == {
        Clue.InputDisconnected,
        Clue.ConstantOutput,
    }
    assert list(looked_at(graphs, "two_signatures", "other").signatures) == ["other", "serving_default"]
    assert looked_at(graphs, "two_signatures", "absent").clues == {}


@pytest.mark.parametrize(
    ("model", "hints"),
    [
        ("recurrent", {"ids": Hint(ids=50)}),
        ("transformer", {"input_ids": Hint(ids=40)}),
        ("float_ids", {"ids": Hint(ids=30)}),
        ("text", {"text": Hint(reads=Reads.Text, words=WORDS)}),
        ("v1_vocabulary", {"text": Hint(reads=Reads.Text, words=WORDS)}),
        ("vocabulary_file", {"word": Hint(reads=Reads.Words, words=WORDS)}),
        ("parsed", {"examples": Hint(reads=Reads.Examples)}),
        ("encoded_image", {"image_bytes": Hint(reads=Reads.Image)}),
        ("healthy_conv", {}),
    ],
)
def test_hints_tell_what_the_inputs_may_be(graphs: Path, model: str, hints: dict[str, Hint]):
    assert looked_at(graphs, model).hints.get("serving_default", {}) == hints


def test_strings_that_may_be_any_and_those_that_are_compared_are_told(graphs: Path):
    hints = looked_at(graphs, "strings").hints["serving_default"]

    assert hints.keys() == {"word", "number", "plan", "key"}
    assert hints["word"] == hints["key"]
    assert (hints["word"].reads, len(hints["word"].words)) == (Reads.Words, 8)
    assert hints["number"] == Hint(reads=Reads.Number)
    assert hints["plan"] == Hint(reads=Reads.Words, words=("paid", "other"))


@pytest.mark.parametrize(
    ("model", "file"), [("vocabulary_file", "words.txt"), ("v1_vocabulary", "tokens.txt")]
)
def test_vocabularies_are_told_from_other_assets(graphs: Path, model: str, file: str):
    assets = looked_at(graphs, model).assets

    asset = assets[file]
    assert (asset.is_vocabulary, asset.lines, asset.first, asset.sample) == (True, 10, "[UNK]", WORDS)
    assert asset.size == (graphs / model / "1" / "assets" / file).stat().st_size


@pytest.mark.parametrize("model", ["parsed", "parsed_v1", "parsed_single"])
def test_the_features_of_examples_are_listed(graphs: Path, model: str):
    features = {f.name: f for f in looked_at(graphs, model).features["serving_default"]}

    assert {name: (f.dtype, f.shape, f.has_default) for name, f in features.items()} == {
        "age": ("DT_FLOAT", (1,), False),
        "pixels": ("DT_FLOAT", (2, 2), False),
        "visits": ("DT_INT64", (), True),
        "country": ("DT_STRING", None, True),
    } | ({"tags": ("DT_INT64", None, True)} if model == "parsed" else {})


def test_equal_weights_have_equal_digests(graphs: Path):
    same = {looked_at(graphs, model).weights_digest for model in ("fake_quantised", "integer_cast")}

    assert len(same | {looked_at(graphs, "dropout_active").weights_digest}) == 2
    assert looked_at(graphs, "v1_flip").weights_digest == ""


MADE = [
    *("parsed", "parsed_v1", "parsed_single", "text", "vocabulary_file", "v1_vocabulary", "encoded_image"),
    *("recurrent", "transformer", "float_ids", "healthy_conv", "through_control_flow", "narrow"),
]


def test_made_inputs_are_answered_each_in_its_own_way(graphs: Path, tmp_path: Path):
    """By TensorFlow, in a process of its own: none is refused, and the answers differ."""
    wanted = {}
    for model in MADE:
        report = looked_at(graphs, model)
        made = inputs.make(report.signatures["serving_default"], report)
        assert made.problem == ""
        wanted[model] = [
            {
                name: getattr(value, "tolist", lambda value=value: value)()
                for name, value in case.inputs.items()
            }
            for case in made.made
        ]
    (tmp_path / "inputs.json").write_text(json.dumps(wanted))

    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("answer.py"), graphs, tmp_path / "inputs.json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert {model: (one["answered"], one["problem"]) for model, one in told.items()} == dict.fromkeys(
        MADE, (12, "")
    )
    assert {model for model, one in told.items() if one["distinct"] < 7} == set()


def test_resnet50_is_looked_at_in_a_second(graphs: Path):
    """Half a second of CPU, so two on the container's quarter of a core."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    with savedmodel.opened(graphs / "resnet50" / "1" / "saved_model.pb") as graph:
        assert graph is not None

        found = analysis.analyse(graph)
    used = resource.getrusage(resource.RUSAGE_SELF)

    assert (found.clues, found.findings) == ({}, [])
    assert used.ru_utime - before.ru_utime < 5
