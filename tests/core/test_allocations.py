"""Allocations that failed, told by what TensorFlow says, and what only looks like one."""

import pytest

from tfserving_operator.core import allocations

GIB = 2**30
CPU = "/job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu"
GPU = "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc"

TOLD = {
    "a tensor on the host": (
        f"OOM when allocating tensor with shape[80000,80000] and type float on {CPU}\n\t [[{{{{node x}}}}]]",
        (False, 80000 * 80000 * 4),
    ),
    "a tensor on a GPU": (
        f"OOM when allocating tensor with shape[32,1024,64,64] and type float on {GPU}\n\t [[{{{{node x}}}}]]",
        (True, 32 * 1024 * 64 * 64 * 4),
    ),
    "a scalar": (f"OOM when allocating tensor with shape[] and type double on {CPU}", (False, 8)),
    "a type of unknown size": (
        f"OOM when allocating tensor with shape[5] and type variant on {CPU}",
        (False, None),
    ),
    "without its end": ("OOM when allocating tensor with shape[9]", (False, None)),
    "CUDA's driver": (
        "failed to allocate 1.97G (2120187392 bytes) from device: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
        (True, 2120187392),
    ),
    "cuDNN": ("Could not create cudnn handle: CUDNN_STATUS_ALLOC_FAILED", (True, None)),
    "XLA": (f"RESOURCE_EXHAUSTED: Out of memory while trying to allocate {GIB} bytes.", (False, GIB)),
    "a kernel": ("RESOURCE_EXHAUSTED: failed to allocate memory [Op:Mul]", (False, None)),
}


@pytest.mark.parametrize(("text", "want"), TOLD.values(), ids=TOLD.keys())
def test_an_allocation_that_failed_is_told_with_its_device_and_size(text, want):
    refused = allocations.refusal(text)
    assert refused is not None
    assert (refused.on_gpu, refused.size_bytes) == want


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The batch scheduling queue to which this task was submitted is full; currently 64 tasks",
        "RESOURCE_EXHAUSTED: ",
        "Received message larger than max (5000000 vs. 4194304)",
        "Read less bytes than requested",
        "indices[0] = 100 is not in [0, 50)",
        "Task size 40 is larger than maximum input batch size 32",
    ],
)
def test_a_full_queue_and_other_errors_are_no_allocation(text):
    assert allocations.refusal(text) is None
