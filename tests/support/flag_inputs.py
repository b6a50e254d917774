"""Flags and variables whose values or combinations stop the server, or are left out by it without a word."""

from tests.support.judged import Input


def _flag(name: str, value: str, said: str) -> Input:
    title = f"flag {name}={value}" if len(value) < 60 else f"flag {name} of {len(value)} characters"
    said = f"spec.server.flags.{name}: {said}"
    return Input(title=title, changes={"server": {"flags": {name: value}}}, said=(said,), server=None)


def _variable(title: str, name: str, value: str, said: str, **flags: str) -> Input:
    server = {"env": [{"name": name, "value": value}], "flags": flags}
    return Input(
        title=title,
        changes={"resources": {"limits": {"cpu": "2"}}, "server": server},
        said=(f"spec.server.env[0]: {said}",) if said else (),
        server=None,
        is_refused=False,
    )


_LIMIT = "from spec.resources.limits.cpu"

GOOD = [
    _variable("as many threads by a variable as CPUs", "TF_NUM_INTRAOP_THREADS", "2", ""),
    _variable("OpenMP within the limit", "OMP_NUM_THREADS", "1", ""),
    _variable("a variable of something else", "TF_CPP_MIN_LOG_LEVEL", "3", ""),
    Input(
        title="threads by a variable without a CPU limit",
        changes={"resources": {"limits": {"cpu": None}}, "server": {"env": [{"name": "TF_NUM_INTRAOP_THREADS", "value": "64"}]}},
    ),
    Input(title="a socket in the pod's own folder", changes={"server": {"flags": {"grpc_socket_path": "/tmp/grpc.sock"}}}),
    Input(title="no socket", changes={"server": {"flags": {"grpc_socket_path": ""}}}),
    Input(title="mixed precision", changes={"server": {"flags": {"mixed_precision": "bfloat16"}}}),
    Input(title="a model of TensorFlow Lite", changes={"server": {"flags": {"prefer_tflite_model": "true", "num_tflite_pools": "2"}}}),
    Input(title="batching of each model's own", changes={"server": {"flags": {"enable_batching": "true", "enable_per_model_batching_parameters": "true"}}}),
    Input(title="gRPC with TLS", changes={"server": {"flags": {"ssl_config_file": "/models/ssl.config"}}}),
    Input(title="tensors as bytes", changes={"server": {"flags": {"enable_serialization_as_tensor_content": "true"}}}),
]  # fmt: skip

WARNINGS = [
    _variable("threads by a variable beside a CPU limit", "TF_NUM_INTRAOP_THREADS", "16", f"TF_NUM_INTRAOP_THREADS has no effect: the flag tensorflow_intra_op_parallelism is 2, {_LIMIT}: set spec.server.flags.tensorflow_intra_op_parallelism, to at most 2"),
    _variable("threads by a variable and by a flag", "TF_NUM_INTEROP_THREADS", "4", f"TF_NUM_INTEROP_THREADS has no effect: the flag tensorflow_inter_op_parallelism is 1, {_LIMIT}: set spec.server.flags.tensorflow_inter_op_parallelism, to at most 2", tensorflow_inter_op_parallelism="1"),
    _variable("more threads of OpenMP than CPUs", "OMP_NUM_THREADS", "8", "8 threads of OpenMP compute on the 2 CPUs of spec.resources.limits.cpu: write at most 2"),
]  # fmt: skip

BAD = [
    _flag("rest_api_num_threads", "5000", "5000 is too large: write at most 4096"),
    _flag("grpc_max_threads", "0", "0 is too small: write at least 2"),
    _flag("num_tflite_pools", "0", "0 is too small: write at least 1"),
    _flag("per_process_gpu_memory_fraction", "-0.5", "-0.5 is too small: write at least 0"),
    _flag("mixed_precision", "float16", "the server knows no float16 and goes on without mixed precision: write bfloat16, or leave it out"),
    _flag("grpc_socket_path", "/run/grpc.sock", "the server cannot write to /run/grpc.sock, and does not start: write a path below /tmp/"),
    _flag("grpc_socket_path", "/tmp/../run/s", "the server cannot write to /tmp/../run/s, and does not start: write a path below /tmp/"),
    _flag("grpc_socket_path", "/tmp/" + "s" * 103, "it is longer than the path of a socket can be, and the server does not start: write at most 107 bytes"),
    _flag("enable_per_model_batching_parameters", "true", 'enable_per_model_batching_parameters needs batching: add enable_batching: "true"'),
    _flag("tensorflow_session_parallelism", "2", "tensorflow_session_parallelism is set by the operator: set tensorflow_intra_op_parallelism and tensorflow_inter_op_parallelism"),
    _flag("platform_config_file", "/models/p", "platform_config_file is set by the operator: leave it out: it would undo the flags for threads and batching"),
    _flag("monitoring_config_file", "/models/m", "monitoring_config_file is set by the operator: leave it out"),
    _flag("max_num_load_retries", "5", "max_num_load_retries is set by the operator: leave it out"),
    _flag("file_system_poll_wait_seconds", "1", "file_system_poll_wait_seconds is set by the operator: leave it out"),
    _flag("version", "true", "version is set by the operator: leave it out: the server would print its version and end"),
    _flag("enable_batching", "1", '"1" is not what enable_batching takes: write "true" or "false"'),
    _flag("tensorflow_inter_op_parallelism", "1.5", '"1.5" is not what tensorflow_inter_op_parallelism takes: write a whole number of 64 bits, such as "2"'),
    Input(
        title="threads with a sign",
        changes={"resources": {"limits": {"cpu": "2"}}, "server": {"flags": {"tensorflow_intra_op_parallelism": "+16"}}},
        said=(
            "spec.server.flags.tensorflow_intra_op_parallelism: +16 threads compute on the 2 CPUs of "
            "spec.resources.limits.cpu: write at most 2, or leave it out: the operator sets it from the limit",
        ),
        server=None,
    ),
    Input(
        title="TLS and ALTS",
        changes={"server": {"flags": {"use_alts_credentials": "true", "ssl_config_file": "/models/ssl.config"}}},
        said=(
            "spec.server.flags.ssl_config_file: with use_alts_credentials the server does not read it: leave out one of them",
        ),
        server=None,
    ),
]  # fmt: skip
