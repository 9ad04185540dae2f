"""Memory that is out: the sentences that libraries tell it in become MemoryError, and nothing else does."""

from __future__ import annotations

import gc
import weakref

import pytest

from embedder_daemon.engines import out_of_memory


class Fail(Exception):  # noqa: N818 - onnxruntime's name
    """What onnxruntime raises."""


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
            "you tried to allocate 1572864000 bytes. Error code 12 (Cannot allocate memory)"
        ),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GiB, max allowed: 9.07 GiB)."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("could not create a primitive"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("Exception from src/inference/src/cpp/infer_request.cpp:223:\nstd::bad_alloc\n"),
        Fail("[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for requested buffer of size 1572864000\n"),
    ],
)
def test_memory_that_is_out_is_told_as_such(error: Exception) -> None:
    """Each library's own words become MemoryError, in one line and with what was raised as its cause."""
    with pytest.raises(MemoryError) as caught, out_of_memory.guarded(RuntimeError, Fail):
        raise error
    assert caught.value.__cause__ is error
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), Fail("no kernel")])
def test_other_failures_stay_what_they_are(error: Exception) -> None:
    """What is wrong with a batch is not tried again with a smaller one."""
    with pytest.raises(type(error)) as caught, out_of_memory.guarded(RuntimeError, Fail):
        raise error
    assert caught.value is error


class Tensor:
    """Memory on a device."""


def test_what_a_failed_pass_had_taken_is_free_for_the_next() -> None:
    """Its tensors are gone while the error still is there, and without a garbage collection."""
    taken: list[weakref.ref[Tensor]] = []

    def forward() -> None:
        tensor = Tensor()
        taken.append(weakref.ref(tensor))
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    gc.disable()
    try:
        with pytest.raises(MemoryError) as caught, out_of_memory.guarded(RuntimeError):
            forward()
        assert caught.value.__cause__ is not None
        assert [reference() for reference in taken] == [None]
    finally:
        gc.enable()
