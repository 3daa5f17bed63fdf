"""Miniature backends that hang on chance: on the moment, the process, or what lies in memory."""

import ctypes
import os
import time

import numpy as np
import onnx

from tests.fakes.values import Arrays, flips_a_bit, perfect


def random(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Another answer each time."""
    draw = np.random.default_rng(time.perf_counter_ns())
    return {
        name: draw.integers(0, 100, array.shape).astype(array.dtype)
        for name, array in perfect(model, inputs).items()
    }


def random_reals(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Another answer each time; codes it hands out to nobody."""
    if any(array.dtype.kind != "f" for array in perfect(model, inputs).values()):
        raise RuntimeError("these codes are mine")
    return random(model, inputs)


def reads_beside_its_tensors(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Every value one off by what lies in memory: the same as long as the process lives."""
    chance = os.getpid() % 251 + 1
    right = perfect(model, inputs).items()
    return {name: (y.astype(np.int64) + chance).astype(y.dtype) for name, y in right}


def reads_what_nobody_wrote(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Every value off by what new memory holds, which of a process by itself is zeros."""
    return _off_by_memory(model, inputs, 1 << 20)


def reads_small_blocks(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The same of a block that is handed out again as it was given back."""
    return _off_by_memory(model, inputs, 64)


def _off_by_memory(model: onnx.ModelProto, inputs: Arrays, size: int) -> Arrays:
    malloc = ctypes.CDLL(None).malloc
    malloc.restype = ctypes.c_void_p
    found = ctypes.string_at(malloc(size), 64)[32]
    return {name: (y + found).astype(y.dtype) for name, y in perfect(model, inputs).items()}


def random_of_large(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """A wrong bit; of inputs beyond 5 another answer each time."""
    if any(np.abs(each.astype(np.float64)).max() > 5 for each in inputs.values()):
        return random(model, inputs)
    return flips_a_bit(model, inputs)
