"""Flags that change how models are loaded and run."""

from pathlib import Path

import pytest

from local.modelserver import flags
from tests.local.modelserver import management, servers

SLOW = {"instances": [60000]}


def platform(name: str, more: str) -> str:
    return f"""platform_configs {{ key: "{name}" value {{ source_adapter_config {{
        [type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig] {{ legacy_config {{ {more} }} }}
    }} }} }}
    """


def file(folder: Path, flag: str, text: str) -> str:
    (folder / flag).write_text(text)
    return f"--{flag}={folder / flag}"


def test_a_session_config_file_configures_all_sessions(loading_models: Path, tmp_path: Path) -> None:
    given = (
        f"--model_base_path={loading_models / 'slow'}",
        file(tmp_path, "tensorflow_session_config_file", "operation_timeout_in_ms: 300"),
        "--rest_api_timeout_in_ms=0",
    )
    with servers.running(tmp_path, *given) as server:
        answer = server.predict("default", SLOW)
        assert (answer.status, answer.error) == (504, "Timed out waiting for notification")
        assert server.predict("default", {"instances": [1]}).status == 200


@pytest.mark.parametrize("flag", ["tensorflow_session_config_file", "platform_config_file"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no_such_field: 1", "INVALID_ARGUMENT: Invalid protobuf file: '{path}'"),
        (None, "NOT_FOUND: {path}; No such file or directory"),
    ],
)
def test_a_file_of_a_flag_that_cannot_be_read_ends_the_process(
    models: Path, tmp_path: Path, flag: str, text: str | None, words: str
) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
    with servers.launched(tmp_path, f"--model_base_path={models / 'line'}", f"--{flag}={path}") as server:
        assert server.wait_for_exit() == 255
        assert server.output == f"Failed to start server. Error: {words.format(path=path)}\n"


def test_a_platform_file_says_what_the_flags_of_sessions_say_otherwise(
    loading_models: Path, tmp_path: Path
) -> None:
    entry = servers.model("tagged", loading_models / "tagged")
    unwarmed = f'name: "warm" base_path: "{loading_models / "warm_failing"}" model_platform: "other"'
    given = (
        servers.config_file(tmp_path, entry, unwarmed),
        file(
            tmp_path,
            "platform_config_file",
            platform("tensorflow", 'saved_model_tags: "train"') + platform("other", ""),
        ),
        "--saved_model_tags=serve",
        "--enable_model_warmup",
        # Alone it would be refused: of the batching flags, nothing is read either.
        "--batching_parameters_file=/none",
    )
    with servers.running(tmp_path, *given) as server:
        assert server.predict("tagged", {"instances": [1.0]}).json == {"predictions": [11.0]}
        # In a file, warmup is off unless it is asked for.
        assert server.predict("warm", {"instances": [[3.0]]}).json == {"predictions": [[7.0]]}


def test_a_platform_file_may_ask_for_warmup_and_batching(loading_models: Path, tmp_path: Path) -> None:
    text = """enable_model_warmup: true model_warmup_options { num_request_iterations { value: 2 } }
        batching_parameters { max_batch_size { value: 4 } allowed_batch_sizes: 4 }"""
    given = (
        f"--model_base_path={loading_models / 'warm_every'}",
        file(tmp_path, "platform_config_file", platform("tensorflow", text)),
    )
    with servers.running(tmp_path, *given) as server:
        assert "Wrapping session to perform batch processing" in server.log
        assert "with model-warmup-options num_request_iterations {" in server.log


def test_a_platform_that_the_file_leaves_out_runs_nothing(models: Path, tmp_path: Path) -> None:
    given = (
        f"--model_base_path={models / 'line'}",
        file(tmp_path, "platform_config_file", platform("other", "")),
    )
    with servers.launched(tmp_path, *given) as server:
        assert server.wait_for_exit() == 255
        want = "INVALID_ARGUMENT: Model default requests unsupported platform tensorflow\n"
        assert server.output.endswith(want)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--mixed_precision=bfloat16", "Running inference with bfloat16 auto mixed precision"),
        (
            "--mixed_precision=float16",
            "float16 auto mixed precision is not supported. Valid option: bfloat16",
        ),
    ],
)
def test_mixed_precision_is_for_bfloat16_alone(models: Path, tmp_path: Path, flag: str, words: str) -> None:
    with servers.running(tmp_path, f"--model_base_path={models / 'dense'}", flag) as server:
        assert words in server.log
        answer = server.predict("default", {"instances": [[1, 1, 1, 1]]})
        assert answer.json == {"predictions": [[4.0, 4.0, 4.0]]}


def test_nothing_is_compiled_unless_a_flag_says_so(loading_models: Path, tmp_path: Path) -> None:
    base = f"--model_base_path={loading_models / 'compiled'}"
    with servers.running(tmp_path, base) as server:
        answer = server.predict("default", {"instances": [1.0]})
        assert answer.error.startswith("XLA compilation disabled\n\t [[")
        assert answer.status >= 400
    with servers.running(tmp_path, base, "--xla_cpu_compilation_enabled") as server:
        assert server.predict("default", {"instances": [1.0]}).json == {"predictions": [3.0]}


@pytest.mark.parametrize(
    "flag",
    [
        *("--tensorflow_session_parallelism=1", "--tensorflow_intra_op_parallelism=1"),
        "--tensorflow_inter_op_parallelism=1",
    ],
)
def test_two_of_the_three_parallelism_flags_go_together(models: Path, tmp_path: Path, flag: str) -> None:
    given = (flag, "--tensorflow_intra_op_parallelism=1", "--per_process_gpu_memory_fraction=0.5")
    with servers.running(tmp_path, f"--model_base_path={models / 'line'}", *given) as server:
        assert server.predict("default", {"instances": [1]}).status == 200


def test_the_names_of_flags_without_effect_are_names_of_flags() -> None:
    assert set(flags.WITHOUT_EFFECT) <= set(flags.kinds())


def test_flags_without_effect_are_accepted(models: Path, tmp_path: Path) -> None:
    kinds = flags.kinds()
    examples = {flags.Kind.BOOL: "true", flags.Kind.INT32: "2", flags.Kind.STRING: "/none"}
    given = [f"--{name}={examples[kinds[name]]}" for name in flags.WITHOUT_EFFECT]
    with servers.running(
        tmp_path, f"--model_base_path={models / 'line'}", *given, *management.ONCE
    ) as server:
        assert "unknown argument" not in server.output
        assert server.predict("default", {"instances": [1]}).status == 200
