"""Device memory for TensorRT, through NVIDIA's own bindings of the CUDA runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from types import TracebackType

    from harness.backends.protocol import Array

try:
    from cuda.bindings import runtime as cudart
except ImportError:  # cuda-python before release 12.6
    from cuda import cudart


def check_device() -> None:
    """Refuse to start where there is no GPU.

    Raises:
        RuntimeError: there is none, or its driver cannot be used.
    """
    if not _call(cudart.cudaGetDeviceCount()):
        raise RuntimeError("TensorRT needs an NVIDIA GPU, and there is none")


class Buffers:
    """Arrays on the device and a stream, freed when the block is left."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self.stream = 0

    def __enter__(self) -> Buffers:
        self.stream = int(_call(cudart.cudaStreamCreate()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for address in self._held:
            cudart.cudaFree(address)
        cudart.cudaStreamDestroy(self.stream)

    def allocate(self, size: int) -> int:
        """The address of ``size`` bytes; at least one, because TensorRT refuses null."""
        address = int(_call(cudart.cudaMalloc(max(1, size))))
        self._held.append(address)
        return address

    def put(self, array: Array) -> int:
        """The address of a copy of the array on the device."""
        given = np.ascontiguousarray(array)
        address = self.allocate(given.nbytes)
        to_device = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        _call(cudart.cudaMemcpy(address, given.ctypes.data, given.nbytes, to_device))
        return address

    def take(self, address: int, into: Array) -> None:
        """Wait for the stream, then fill the array from the device."""
        _call(cudart.cudaStreamSynchronize(self.stream))
        to_host = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _call(cudart.cudaMemcpy(into.ctypes.data, address, into.nbytes, to_host))


def _call(answer: Any) -> Any:
    """The value of a call that worked.

    Raises:
        RuntimeError: CUDA's own words where it did not.
    """
    status, values = answer[0], answer[1:]
    if int(status) != 0:
        raise RuntimeError(f"CUDA: {cudart.cudaGetErrorString(status)[1].decode()}")
    return values[0] if values else None
