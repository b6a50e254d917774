"""Every flag of the original with its type and its default, as the usage text tells them."""

import os
import re
from pathlib import Path

import grpc
import pytest
from tensorflow.core.framework import tensor_pb2, types_pb2

from tests.local.modelserver.conformance import harness

CPUS = len(os.sched_getaffinity(0))
FLAGS = {
    "port": "int32 8500",
    "grpc_socket_path": 'string ""',
    "rest_api_port": "int32 0",
    "rest_api_num_threads": f"int32 {4 * CPUS}",
    "rest_api_timeout_in_ms": "int32 30000",
    "rest_api_enable_cors_support": "bool false",
    "enable_batching": "bool false",
    "allow_version_labels_for_unavailable_models": "bool false",
    "batching_parameters_file": 'string ""',
    "enable_per_model_batching_parameters": "bool false",
    "model_config_file": 'string ""',
    "model_config_file_poll_wait_seconds": "int32 0",
    "model_name": 'string "default"',
    "model_base_path": 'string ""',
    "num_load_threads": "int32 0",
    "num_unload_threads": "int32 0",
    "max_num_load_retries": "int32 5",
    "load_retry_interval_micros": "int64 60000000",
    "file_system_poll_wait_seconds": "int32 1",
    "flush_filesystem_caches": "bool true",
    "tensorflow_session_parallelism": "int64 0",
    "tensorflow_session_config_file": 'string ""',
    "tensorflow_intra_op_parallelism": "int64 0",
    "tensorflow_inter_op_parallelism": "int64 0",
    "use_alts_credentials": "bool false",
    "ssl_config_file": 'string ""',
    "platform_config_file": 'string ""',
    "per_process_gpu_memory_fraction": "float 0.000000",
    "saved_model_tags": 'string "serve"',
    "grpc_channel_arguments": 'string ""',
    "grpc_max_threads": f"int32 {4 * CPUS}",
    "enable_model_warmup": "bool true",
    "num_request_iterations_for_warmup": "int32 0",
    "version": "bool false",
    "monitoring_config_file": 'string ""',
    "remove_unused_fields_from_bundle_metagraph": "bool true",
    "prefer_tflite_model": "bool false",
    "num_tflite_pools": f"int32 {CPUS}",
    "num_tflite_interpreters_per_pool": "int32 1",
    "enable_signature_method_name_check": "bool false",
    "xla_cpu_compilation_enabled": "bool false",
    "xla_gpu_compilation_enabled": "bool false",
    "enable_profiler": "bool true",
    "thread_pool_factory_config_file": 'string ""',
    "mixed_precision": 'string ""',
    "skip_initialize_tpu": "bool false",
    "enable_grpc_healthcheck_service": "bool false",
    "enable_serialization_as_tensor_content": "bool false",
}


def test_the_usage_tells_every_flag_with_its_type_and_its_default(tmp_path: Path) -> None:
    with harness.launched(tmp_path, "--port=none") as server:
        assert server.process.wait(harness.READY_SECONDS) == 255
        told = re.findall(r'^\s+--(\w+)=("[^"]*"|\S+)\s+(\w+)', server.output, re.MULTILINE)
    assert {name: f"{kind} {default}" for name, default, kind in told} == FLAGS


@pytest.mark.parametrize(
    ("flag", "threads"),
    [("--tensorflow_inter_op_parallelism=3", 3), ("--tensorflow_session_parallelism=5", 5)],
)
def test_thread_pools_are_as_large_as_the_flags_say(
    testdata: Path, tmp_path: Path, flag: str, threads: int
) -> None:
    with harness.running(tmp_path, *harness.base_path(testdata / "half_plus_two"), flag) as server:
        harness.assert_predicts(server, 3.0)
        tasks = Path(f"/proc/{server.process.pid}/task").glob("*/comm")
        assert [task.read_text().strip() for task in tasks].count("tf_Compute") == threads


def test_a_session_config_file_is_read_whole_or_ends_the_process(testdata: Path, tmp_path: Path) -> None:
    flags = harness.base_path(testdata / "half_plus_two")
    config = tmp_path / "session.config"
    config.write_text("allow_soft_placement: true")
    with harness.running(tmp_path, *flags, f"--tensorflow_session_config_file={config}") as server:
        harness.assert_predicts(server, 3.0)
    config.write_text("allow_hard_placement: true")
    with harness.launched(tmp_path, *flags, f"--tensorflow_session_config_file={config}") as server:
        assert server.process.wait(harness.READY_SECONDS) == 255
        assert f"Invalid protobuf file: '{config}'" in server.output
        assert "Error parsing text-format tensorflow.ConfigProto" in server.log


def test_without_its_flag_the_profiler_is_not_there(testdata: Path, tmp_path: Path) -> None:
    flags = harness.base_path(testdata / "half_plus_two")
    with harness.running(tmp_path, *flags, "--enable_profiler=false") as server:
        call = server.channel.unary_unary("/tensorflow.ProfilerService/Profile")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", timeout=harness.RPC_SECONDS)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_predictions_come_as_tensor_content_if_the_flag_says_so(testdata: Path, tmp_path: Path) -> None:
    flags = harness.base_path(testdata / "half_plus_two")
    with harness.running(tmp_path, *flags, "--enable_serialization_as_tensor_content=true") as server:
        answer = server.predict(harness.predict_request(x=harness.floats(2.0)))
    want = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=b"\0\0\x40\x40")
    want.tensor_shape.dim.add(size=1)
    assert answer.outputs["y"] == want
