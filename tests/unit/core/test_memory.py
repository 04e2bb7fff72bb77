"""Memory that ran out is told from other failures by what PyTorch and CUDA say."""

from __future__ import annotations

import pytest

from parsenet_cli.core.memory import is_out_of_memory


class AcceleratorError(RuntimeError):
    """PyTorch's name for what the CUDA runtime says."""


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
    ],
)
def test_memory_that_ran_out_is_recognised(problem: Exception) -> None:
    assert is_out_of_memory(problem)


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: an illegal memory access was encountered",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "CUDA error: device-side assert triggered",
        "Unable to find a file",
    ],
)
def test_other_failures_are_none_of_it(said: str) -> None:
    assert not is_out_of_memory(AcceleratorError(said))
