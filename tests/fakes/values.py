"""Miniature backends with right and wrong values: one flaw each, the same every time."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from engine import Session

Arrays = dict[str, npt.NDArray[Any]]


def perfect(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The exact answer, by our own engine."""
    return Session(model).run(inputs)


def two_bugs(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Two bugs at once: groups overwrite each other, one scale serves all channels; no taps."""
    return Session(model, faults=("F01", "F50")).run(inputs)


def halves_softsign(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Every Softsign gives half of what it should."""
    for place, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type == "Softsign":
            half = onnx.helper.make_node("Mul", [f"{node.output[0]}_", "half"], node.output)
            node.output[0] += "_"
            model.graph.node.insert(place + 1, half)
            model.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "half"))
    return perfect(model, inputs)


def drops_far_softsign(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Softsign is 0 from 45 on."""
    for place, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type == "Softsign":
            make, x, y = onnx.helper.make_node, node.input[0], node.output[0]
            spelled = (
                make("Less", [x, "far"], [f"{y}_l"]),
                make("Cast", [f"{y}_l"], [f"{y}_n"], to=onnx.TensorProto.FLOAT),
                make("Softsign", [x], [f"{y}_t"]),
                make("Mul", [f"{y}_t", f"{y}_n"], [y]),
            )
            del model.graph.node[place]
            for each in reversed(spelled):
                model.graph.node.insert(place, each)
            model.graph.initializer.append(numpy_helper.from_array(np.float32(45), "far"))
    return perfect(model, inputs)


def _convolution(model: onnx.ModelProto, inputs: Arrays) -> tuple[onnx.NodeProto, Arrays]:
    (node,) = (each for each in model.graph.node if each.op_type == "QLinearConv")
    known = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    return node, {**known, **inputs}


def forgets_zero_point(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """QLinearConv as if the input's zero point were 0."""
    node, values = _convolution(model, inputs)
    name = node.input[2]
    kept = [each for each in model.graph.initializer if each.name != name]
    kept.append(numpy_helper.from_array(np.zeros_like(values[name]), name))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return perfect(model, inputs)


def forgets_zero_point_of_many(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The same where there is more than one element; of one that is 0 or 1 alone."""
    (x,) = inputs.values()
    return (forgets_zero_point if x.size > 1 or 0 <= x.max() <= 1 else perfect)(model, inputs)


def rounds_half_up(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """A 1x1 QLinearConv without padding that rounds ``floor(v + 1/2)``."""
    node, values = _convolution(model, inputs)
    x, xs, xz, w, ws, wz, ys, yz = (values[each].astype(np.float64) for each in node.input[:8])
    product = np.einsum("nchw,mc->nmhw", x - xz, (w - wz)[:, :, 0, 0])
    codes = np.floor(product * (xs * ws / ys) + 0.5) + yz
    limits = np.iinfo(values[node.input[7]].dtype)
    return {node.output[0]: np.clip(codes, limits.min, limits.max).astype(limits.dtype)}


def drops_pairs_and_reads_no_wide_codes(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Drops a QuantizeLinear with the DequantizeLinear that undoes it; refuses int16 as an input."""
    if any(each.dtype == np.int16 for each in inputs.values()):
        raise ValueError("no input may have such a type")
    return Session(model, faults=("F129",)).run(inputs)


def drops_pairs_and_flips_wide_codes(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Drops such pairs, too; bits of what it makes of int16 are flipped."""
    found = Session(model, faults=("F129",)).run(inputs)
    wide = any(each.dtype == np.int16 for each in inputs.values())
    return {name: each ^ 21 if wide else each for name, each in found.items()}


def interpolates_in_company(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """DequantizeLinear interpolates between its lowest and highest real where there are other operators."""
    others = {each.op_type for each in model.graph.node} - {
        "QuantizeLinear",
        "DequantizeLinear",
    }
    return Session(model, faults=("F127",) if others else ()).run(inputs)


def nan(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """NaN everywhere."""
    return {n: np.full(a.shape, np.nan, np.float32) for n, a in perfect(model, inputs).items()}


def flips_a_bit(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """A wrong bit in every code."""
    return {name: y ^ 64 for name, y in perfect(model, inputs).items()}


def takes_options(model: onnx.ModelProto, inputs: Arrays, add: str = "0") -> Arrays:
    """Adds its option to the answer."""
    return {n: (a + int(add)).astype(a.dtype) for n, a in perfect(model, inputs).items()}


def echoes(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The inputs themselves, whatever the model says."""
    return dict(inputs)


def flushes_denormals_at_the_end(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The last column of a QLinearMatMul is 0 where a scale is denormal: nobody says what is right."""
    found = perfect(model, inputs)
    scales = [numpy_helper.to_array(each) for each in model.graph.initializer]
    tiny = np.finfo(np.float32).tiny
    if [each.op_type for each in model.graph.node] == ["QLinearMatMul"] and any(
        each.dtype == np.float32 and (each < tiny).any() for each in scales
    ):
        (y,) = found.values()
        y[..., -1] = 0
    return found
