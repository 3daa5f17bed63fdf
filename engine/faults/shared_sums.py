"""A fault of sums whose scale is applied at once for one reader, and by the others once more."""

from dataclasses import replace
from typing import Any

import numpy as np

from engine.faults.rewriting import rewrite_fault
from engine.fusion.guards import read_affine, weight_axis
from engine.fusion.match import Refusal, Replacement, View
from engine.fusion.r01_conv import FORMS
from engine.fusion.r45_clip_before_quantize import match as covered
from engine.ir import Array, Node
from engine.kernels.known_shape import known_shape
from engine.kernels.qlinear_conv import Affine

_CODES = (np.int8, np.uint8)
_CHANNELS, _MATRIX = 1, 2  # their axis, and the axes that a matrix has
_MIDDLE = 128  # of the codes of uint8
_STRIDE = 3  # the largest of a ConvTranspose on integers
_PASSES = frozenset(
    [
        "AveragePool",
        "GlobalAveragePool",
        "LeakyRelu",
        "MaxPool",
        "PRelu",
        "QuantizeLinear",
        "Relu",
    ]
)
"""What reads the integers, and leaves their scale to what comes behind it."""
_PASSES_ONE = frozenset(["Clip", "DepthToSpace", "Slice", "Transpose"])
"""What does so of a single scale."""
_AFFINE = ("Add", "Div", "Mul", "Sub")
_READS_REALS = frozenset(
    [
        "Abs",
        "Cast",
        "Clip",
        "DepthToSpace",
        "Elu",
        "Erf",
        "Exp",
        "Floor",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "Max",
        "Min",
        "Pow",
        "Round",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Softplus",
        "Sqrt",
        "Tanh",
        "Transpose",
    ]
)
"""What takes the scale as it is, one multiplication for all of these."""


def scaled_twice(view: View, node: Node) -> Replacement | None:
    """``xs*ws * sum`` for those who read reals, ``xs*ws * (xs*ws * sum)`` for the others, in float32.

    Where some size but that of the channels is open, and something else of the graph is quantized.
    """
    (name,) = node.outputs
    readers, scale = view.users(name), _scale(view, node)
    if scale is None or (scale == 1).all() or not _is_quantized(view):
        return None
    if any(
        each.rules for each in readers
    ):  # how they read it is decided by the model as it is
        return None
    is_one = bool((scale == scale.flat[0]).all())
    raw = [each for each in readers if _is_raw(view, each, is_one)]
    others = [each for each in readers if each not in raw]
    of_reals = bool(others) or view.is_output(name)
    if not (raw and of_reals and all(_reads_reals(view, each) for each in others)):
        return None
    factor, scaled = (view.new_name(f"{name}_{each}") for each in ("scale", "scaled"))
    twice = Node(node.id, "Mul", (name, factor), (scaled,), {}, node.sources)
    renamed = {name: scaled}
    again = [
        replace(
            each,
            inputs=tuple(renamed.get(read, read) for read in each.inputs),
            origin=each.sources,
        )
        for each in raw
    ]
    return Replacement((node, *raw), (twice, *again), {factor: scale})


def _is_raw(view: View, reader: Node, is_one: bool) -> bool:
    """Whether it reads integers: 8 bits of a QuantizeLinear, a PRelu of constant slopes, a Clip that has no effect, ..."""
    if reader.op == "QuantizeLinear":
        return view.code_dtype(reader.outputs[0]) in _CODES
    if reader.op in _AFFINE:
        return _is_absorbed(view, reader)
    if reader.op == "PRelu":
        return view.constant(reader.inputs[1]) is not None
    if reader.op == "Clip" and not is_one:
        quantize = view.only_user(reader.outputs[0], "QuantizeLinear")
        return quantize is not None and isinstance(covered(view, quantize), Replacement)
    if reader.op == "Transpose" and not is_one:
        perm: Any = reader.attributes.get("perm", ())
        return tuple(perm[:_MATRIX]) == (0, _CHANNELS)
    return reader.op in (_PASSES | _PASSES_ONE if is_one else _PASSES)


def _has_number(view: View, reader: Node) -> bool:
    """Whether its other operand is one number, and the second where the order counts."""
    others = reader.inputs if reader.op in ("Add", "Mul") else reader.inputs[1:]
    numbers = [view.constant(each) for each in others]
    return any(each is not None and each.ndim == 0 for each in numbers)


def _is_absorbed(view: View, reader: Node) -> bool:
    """Whether it is one number more, and quantized alone: then it becomes part of that."""
    quantize = view.only_user(reader.outputs[0], "QuantizeLinear")
    is_last = quantize is not None and _is_raw(view, quantize, is_one=True)
    return is_last and _has_number(view, reader)


def _reads_reals(view: View, reader: Node) -> bool:
    """Whether one multiplication serves it and all others of these."""
    is_offset = reader.op in ("Add", "Sub") and _has_number(view, reader)
    return is_offset or reader.op in _READS_REALS


def _is_quantized(view: View) -> bool:
    """Whether anything gives codes of 8 bits: else nothing is done in integers."""
    return any(
        view.code_dtype(each.outputs[0]) in _CODES
        for each in view.graph.nodes
        if _is_quantizing(each)
    )


def _scale(view: View, node: Node) -> Array | None:
    """``xs*ws``, as it broadcasts, of what is computed in integers and not of known size; None of all else."""
    sides = [view.producer(each, "DequantizeLinear") for each in node.inputs[:2]]
    makers = [each for each in sides if each is not None]
    read = [read_affine(view, each) for each in makers]
    parts = [each for each in read if not isinstance(each, Refusal)]
    if len(parts) < 2 or parts[0].scale.size > 1 or not _is_open(view, node.inputs[0]):
        return None
    scale, (x, w) = np.asarray(parts[0].scale * parts[1].scale), makers
    codes = view.constant(w.inputs[0])
    if node.op == "MatMul":
        is_product = codes is None and scale.size == 1 and _is_product(view, x, w, *parts)
        return scale if is_product else None
    of_int8 = parts[1].dtype == np.int8 and not parts[1].zero_point.any()
    if codes is None or not of_int8 or not _is_convolved(view, node, codes, parts[0]):
        return None
    refusal = weight_axis(view, w, codes, parts[1], FORMS[node.op].axis)
    return None if refusal else scale.reshape(-1, *(1,) * (codes.ndim - _MATRIX))


def _is_product(view: View, x: Node, w: Node, given: Affine, other: Affine) -> bool:
    """Whether both count from 0, uint8 codes made here from their middle, and the second side's batch is open."""
    makers = [view.producer(each.inputs[0]) for each in (x, w)]
    shape = known_shape(view.graph, w.inputs[0])
    fixed = shape is not None and len(shape) > _MATRIX and shape[0] > 1
    if fixed or any(each and each.op == "Transpose" for each in makers):
        return False
    middle = 0 if other.dtype == np.int8 else _MIDDLE if _is_made_here(view, w) else None
    return not given.zero_point.any() and other.zero_point.item() == middle


def _is_made_here(view: View, dequantize: Node) -> bool:
    """Whether its codes are made in the graph, to be computed with alone: then their type is chosen anew."""
    codes = dequantize.inputs[0]
    maker = view.producer(codes)
    if maker is None or view.is_output(codes):
        return False
    readers = [each for each in view.graph.nodes if codes in each.inputs]
    return _is_quantizing(maker) and all(
        each.op == "DequantizeLinear" or each.op.startswith("QLinear") for each in readers
    )


def _is_quantizing(node: Node) -> bool:
    return node.op in ("QuantizeLinear", "Requantize") or node.op.startswith("QLinear")


def _is_convolved(view: View, conv: Node, weights: Array, x: Affine) -> bool:
    """Whether a zero point of x, the bias and the window allow for integers."""
    maker = view.producer(conv.inputs[0])
    is_shifted = x.zero_point.any() and not (
        conv.op == "Conv"
        and (x.dtype == np.uint8 or (maker is not None and _is_made_here(view, maker)))
    )
    kernel = weights.shape[_MATRIX:]
    return not is_shifted and not _has_bias(view, conv) and _is_in_integers(conv, kernel)


def _has_bias(view: View, conv: Node) -> bool:
    """Whether there is one, but for zeros."""
    name = conv.input(2)
    maker = view.producer(name, "DequantizeLinear") if name else None
    bias = view.constant(maker.inputs[0] if maker else name) if name else np.zeros(1)
    return bias is None or bool(bias.any())


def _is_in_integers(conv: Node, kernel: tuple[int, ...]) -> bool:
    """Not where strides move in front of single pixels (F171), or leave out output pixels, are wide or grouped."""
    strides: Any = conv.attributes.get("strides") or (1,) * len(kernel)
    grouped = conv.attributes.get("group", 1) != 1
    if conv.op == "Conv":
        return grouped or set(kernel) != {1} or set(strides) == {1}
    pairs = zip(strides, kernel, strict=True)
    return not grouped and all(stride <= min(size, _STRIDE) for stride, size in pairs)


def _is_open(view: View, name: str) -> bool:
    """Whether a size of what it is made of is open, channels apart."""
    inputs = {each.name: each.shape for each in view.graph.inputs}
    waiting, seen = [name], {name}
    while waiting:
        name = waiting.pop()
        shape = inputs.get(name)
        if shape and None in (*shape[:_CHANNELS], *shape[_CHANNELS + 1 :]):
            return True
        maker = view.producer(name)
        waiting += [each for each in (maker.inputs if maker else ()) if each not in seen]
        seen.update(waiting)
    return False


FAULTS = (
    rewrite_fault(
        "F172",
        "sums whose scale is applied for one reader have it applied once more by the others, under an open batch",
        "openvinotoolkit/openvino: low precision, a Conv without a bias, a ConvTranspose or a MatMul of codes that is read in float and quantized, measured",
        sums=scaled_twice,
    ),
)
