"""Faults of rewrites: pairs of Q and D that are dropped, merged, moved or inserted and must not be."""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.faults.fault import Fault
from engine.fusion.match import Replacement, View
from engine.fusion.moving import follow
from engine.fusion.r40_equal_pair import Coding, read_coding
from engine.ir import Array, Node
from engine.kernels.known_shape import known_shape
from engine.kernels.number_types import INTEGER_CODES

_FAR = 4
_ARITHMETIC = frozenset(
    [
        "Add",
        "AveragePool",
        "Conv",
        "ConvTranspose",
        "Div",
        "Gemm",
        "GlobalAveragePool",
        "MatMul",
        "Mul",
        "Sub",
    ]
)


def within_a_millionth(left: Array, right: Array) -> bool:
    """``|s - t| <= 1e-6``, whatever their size."""
    if left.size != right.size:
        return False
    a, b = (each.reshape(-1).astype(np.float64) for each in (left, right))
    return bool((np.abs(a - b) <= 1e-6).all())


def equal_in_half_precision(left: Array, right: Array) -> bool:
    """The same float16."""
    if left.size != right.size:
        return False
    with np.errstate(over="ignore"):
        a, b = (each.reshape(-1).astype(np.float16) for each in (left, right))
    return bool((a == b).all())


def first_rounding_dropped(view: View, pairs: tuple[Node, ...]) -> Replacement | None:
    """The second QuantizeLinear reads what the first one does."""
    before, first, second = pairs[:3]
    inputs = (before.inputs[0], *second.inputs[1:])
    direct = Node(second.id, second.op, inputs, second.outputs, second.attributes)
    return Replacement((before, first, second), (direct,))


def ranges_intersected(view: View, pairs: tuple[Node, ...]) -> Replacement | None:
    """One pair whose codes span the reals that both pairs can represent."""
    before, _, second, *after = pairs
    codings = [read_coding(view, each) for each in (before, second)]
    a, b = (each if isinstance(each, Coding) else None for each in codings)
    alone = len(after) == 1 and all(
        view.only_user(each.outputs[0]) for each in (before, second, after[0])
    )
    if a is None or b is None or not alone or a.dtype != b.dtype:
        return None
    merged = _intersection(a, b)
    if merged is None:
        return None
    names = [view.new_name(f"{second.key}_{each}") for each in ("scale", "zero_point")]
    codes = view.new_name(second.key)
    quantize = Node(second.id, second.op, (before.inputs[0], *names), (codes,), {})
    (last,) = after
    dequantize = Node(last.id, last.op, (codes, *names), last.outputs, {})
    return Replacement(pairs, (quantize, dequantize), dict(zip(names, merged, strict=True)))


def _intersection(a: Coding, b: Coding) -> tuple[Array, Array] | None:
    """Scale and zero point of the range that two codings of one integer type have in common."""
    if any(each.scale.size > 1 or each.scale.dtype != np.float32 for each in (a, b)):
        return None
    low, high = INTEGER_CODES[a.dtype]
    ends = [
        [
            float(each.scale.reshape(())) * (end - int(each.zero_point.reshape(())))
            for each in (a, b)
        ]
        for end in (low, high)
    ]
    lowest, highest = max(ends[0]), min(ends[1])
    scale = np.float32((highest - lowest) / (high - low))
    if scale < np.finfo(np.float32).tiny:
        return None
    zero = np.clip(np.rint(low - lowest / float(scale)), low, high)
    return np.asarray(scale), np.asarray(zero, a.dtype)


def of_the_last(view: View, quantize: Node) -> Node:
    """The parameters of the last QuantizeLinear of the same tensor and type, for the first one."""
    source = quantize.inputs[0]
    all_ = [each for each in view.users(source) if each.op == "QuantizeLinear"]
    all_ = [each for each in all_ if each.inputs[0] == source]
    last = all_[-1] if all_ else quantize
    maker = view.producer(source)
    if maker is None or maker.op not in _ARITHMETIC or all_[0] is not quantize:
        return quantize
    a, b = read_coding(view, quantize), read_coding(view, last)
    if not isinstance(a, Coding) or not isinstance(b, Coding) or a.dtype != b.dtype:
        return quantize
    if all(
        np.array_equal(x, y) for x, y in ((a.scale, b.scale), (a.zero_point, b.zero_point))
    ):
        return quantize
    inputs = (source, *last.inputs[1:])
    return Node(quantize.id, quantize.op, inputs, quantize.outputs, last.attributes)


def stay(view: View, mover: Node, axis: int, perm: tuple[int, ...], up: bool) -> int:
    """The number that the axis had, where as many scales fit there."""
    shape = known_shape(view.graph, mover.inputs[0])
    right = follow(view, mover, axis, perm, up)
    if shape is None or len(shape) != len(perm) or shape[axis] != shape[perm[axis]]:
        return right
    return axis


def pair_of_uint8(view: View, before: Node, dequantize: Node) -> tuple[Node, ...]:
    """D -> Q -> D with its scale and, as no zero point tells the type, codes of uint8."""
    if before.input(2) or view.code_dtype(before.inputs[0]) != np.int8:
        return (dequantize,)
    (name,), scale = dequantize.outputs, dequantize.inputs[1]
    reals, codes = (view.new_name(f"{name}_{each}") for each in ("inner", "unsigned"))
    attributes = dequantize.attributes
    return (
        Node(dequantize.id, dequantize.op, dequantize.inputs, (reals,), attributes),
        Node(dequantize.id, "QuantizeLinear", (reals, scale), (codes,), attributes),
        Node(dequantize.id, dequantize.op, (codes, scale), (name,), attributes),
    )


def pair_from_above(view: View, pool: Node) -> Replacement | None:
    """A pair in front of the pool, like the first DequantizeLinear further up."""
    node, between = view.producer(pool.inputs[0]), set()
    for _ in range(_FAR):
        if node is None or node.op == "DequantizeLinear" or not node.inputs:
            break
        between.add(node.op)
        node = view.producer(node.inputs[0])
    if node is None or node.op != "DequantizeLinear" or not between & _ARITHMETIC:
        return None
    coding = read_coding(view, node)
    if not node.input(2) or not isinstance(coding, Coding) or coding.scale.size > 1:
        return None
    codes, reals = (view.new_name(f"{pool.inputs[0]}_{each}") for each in ("pair", "reals"))
    parameters = node.inputs[1:]
    added = (
        Node(pool.id, "QuantizeLinear", (pool.inputs[0], *parameters), (codes,), {}),
        Node(pool.id, "DequantizeLinear", (codes, *parameters), (reals,), {}),
        Node(pool.id, pool.op, (reals, *pool.inputs[1:]), pool.outputs, pool.attributes),
    )
    return Replacement((pool,), added)


def loosely(low: float, high: float) -> bool:
    """Up to one step inside of the ends counts as nothing."""
    return low <= 1 and high <= 1


def _rewrite(key: str, title: str, source: str, **stages: Callable[..., Any]) -> Fault:
    named = {f"rewrite.{name}": each for name, each in stages.items()}
    return Fault(key, title, source, stages=named)


FAULTS = (
    Fault(
        "F104",
        "a DequantizeLinear and a QuantizeLinear of different scales are dropped as a pair",
        "passes that look at the operators only",
        guards_off=("R40.G5/scale",),
    ),
    Fault(
        "F104.zero",
        "a DequantizeLinear and a QuantizeLinear of different zero points are dropped as a pair",
        "passes that compare scales only",
        guards_off=("R40.G5/zero point",),
    ),
    _rewrite(
        "F55",
        "scales that differ by less than 1e-6 count as equal, however small they are",
        "opencv/opencv 5.x compares scales with an absolute tolerance",
        one_scale=within_a_millionth,
    ),
    _rewrite(
        "F56",
        "scales count as equal where they are the same in half precision",
        "scales stored in half precision",
        one_scale=equal_in_half_precision,
    ),
    _rewrite(
        "F112",
        "two different pairs in a row become one with the range that both have in common",
        "microsoft/onnxruntime#25259",
        double_pair=ranges_intersected,
    ),
    _rewrite(
        "F78",
        "the first of two different pairs in a row is dropped, with its rounding and saturation",
        "rules that skip a QuantizeLinear and a DequantizeLinear in between",
        double_pair=first_rounding_dropped,
    ),
    Fault(
        "F117",
        "QuantizeLinears of one tensor and one scale are taken for one, although zero points differ",
        "a key of common subexpressions that is too small",
        guards_off=("R35.G5/zero point",),
    ),
    _rewrite(
        "F60f",
        "an operation that two QuantizeLinears follow takes the parameters of the last for the first",
        "microsoft/onnxruntime counts the QuantizeLinears of an output",
        quantizer=of_the_last,
    ),
    Fault(
        "F122",
        "int8 codes become uint8 ones or back by 128, whatever the zero points are",
        "microsoft/onnxruntime qdq_s8_to_u8, with zero points left behind",
        guards_off=("R43.G5/zero point",),
    ),
    _rewrite(
        "F32",
        "a pair inserted behind a DequantizeLinear without zero point has uint8 codes",
        "microsoft/onnxruntime#27845, #28491, #25001",
        behind=pair_of_uint8,
    ),
    _rewrite(
        "F106",
        "scales along an axis move through a Transpose and keep the number of the axis",
        "a DequantizeLinear or QuantizeLinear moved without its attributes",
        axis=stay,
    ),
    _rewrite(
        "F113",
        "a maximum pool of reals gets the scale of a DequantizeLinear above other operations",
        "opencv/opencv 5.x searches parameters upwards",
        pool=pair_from_above,
    ),
    Fault(
        "F81",
        "a Relu before a QuantizeLinear is removed although real 0 is not the lowest code",
        "microsoft/onnxruntime relu_quantizelinear, for other types than 8 bits",
        guards_off=("R44.G11", "R02.G11/Relu"),
    ),
    _rewrite(
        "F85",
        "a Clip that cuts the outermost codes off is dropped",
        "microsoft/onnxruntime#22580",
        covers=loosely,
    ),
)
