"""Miniature backends that refuse, or whose answers are none: wrong names, types and texts, noise."""

import os
from typing import Any

import numpy as np
import onnx

from tests.fakes.values import Arrays, perfect


def raises(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Refuses everything."""
    raise NotImplementedError("no kernel for this\nand a second line")


def hands_out_no_wide_codes(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Refuses MaxPool, and any model that ends in codes of 16 bits, each in its own words."""
    if any(node.op_type == "MaxPool" for node in model.graph.node):
        raise ValueError("MaxPool is too much for me")
    if any(each.type.tensor_type.elem_type == 4 for each in model.graph.output):
        raise ValueError("no array has such a type")
    return perfect(model, inputs)


def lies_about_shape(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right numbers in the wrong shape."""
    return {name: array.reshape(-1) for name, array in perfect(model, inputs).items()}


def lies_about_dtype(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right numbers as int32."""
    return {name: array.astype(np.int32) for name, array in perfect(model, inputs).items()}


def wrong_name(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right numbers under another name."""
    return {f"{name}_0": array for name, array in perfect(model, inputs).items()}


def prints(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right answer, and noise on stdout from Python and from below."""
    print("hello from Python", flush=True)
    os.write(1, b"hello from native code\n")
    return perfect(model, inputs)


def spoils_inputs(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right answer, but the inputs are overwritten afterwards."""
    answer = perfect(model, inputs)
    for array in inputs.values():
        array[...] = 0
    return answer


def not_a_dict(model: onnx.ModelProto, inputs: Arrays) -> Any:
    """A list instead of a dict."""
    return list(perfect(model, inputs).values())


def scribbles_on_its_pipe(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Writes to every descriptor it can find, the parent's pipe among them."""
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, b"this is certainly not a message of ours\n")
        except OSError:
            continue
    return perfect(model, inputs)


def answers_in_words(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Texts instead of numbers."""
    return {name: array.astype(str) for name, array in perfect(model, inputs).items()}


def talks_too_much(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Two kilobytes for every answer."""
    return {name: np.zeros(2 << 10, np.uint8) for name in perfect(model, inputs)}
