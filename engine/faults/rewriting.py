"""Faults of rewrites that drop or merge Q and D which differ."""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.arithmetic import round_half_away
from engine.faults.fault import Fault
from engine.fusion.match import Refusal, Replacement, View
from engine.fusion.r40_equal_pair import Coding, read_coding
from engine.fusion.r41_stripped_pair import (
    CLIPPED,
    KEPT,
    LEVELS,
    WHOLE,
    is_constant,
    rounded_ends,
)
from engine.ir import Array, Node
from engine.kernels.number_types import INTEGER_CODES

ARITHMETIC = frozenset(
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


def clipped_before_a_sum(view: View, pair: tuple[Node, Node], coding: Coding) -> str:
    """Of a pair between a Conv and an Add, of 8-bit codes of one scale, the range is left.

    Behind the Conv there may be Clips, or Relus that codes of which none is negative make needless.
    """
    quantize, dequantize = pair
    first = read_coding(view, quantize)
    if isinstance(first, Refusal) or not (_is_byte(first) and _is_byte(coding)):
        return KEPT
    covers = int(first.zero_point.reshape(())) == INTEGER_CODES[first.dtype][0]
    before = view.producer(quantize.inputs[0])
    while before is not None and (before.op == "Clip" or (before.op == "Relu" and covers)):
        before = view.producer(before.inputs[0])
    readers = {each.op for each in view.users(dequantize.outputs[0])}
    is_between = before is not None and before.op == "Conv" and readers == {"Add"}
    return CLIPPED if is_between else KEPT


def _is_byte(coding: Coding) -> bool:
    """Whether it has 8-bit codes of one scale."""
    is_one = coding.scale.size == coding.zero_point.size == 1
    return is_one and coding.dtype in (np.int8, np.uint8)


def whole_behind_a_concat(view: View, pair: tuple[Node, Node], coding: Coding) -> str:
    """Of a pair of int8 codes between a Concat and a Conv with dequantized weights, whole numbers are left.

    Where the Concat joins constants, too, the others' codes are spread over a range with whole ends.
    """
    quantize, dequantize = pair
    concat = view.producer(quantize.inputs[0], "Concat")
    alone = view.only_user(quantize.inputs[0]) is not None
    convolved = any(
        each.op == "Conv" and view.producer(each.inputs[1], "DequantizeLinear")
        for each in view.users(dequantize.outputs[0])
    )
    is_one = coding.scale.size == coding.zero_point.size == 1
    if concat is None or not (alone and convolved and is_one and _loses(coding)):
        return KEPT
    return LEVELS if any(is_constant(view, each) for each in concat.inputs) else WHOLE


def _loses(coding: Coding) -> bool:
    """Whether codes are int8 ones of another scale than 1, and their rounded ends more than 1 apart."""
    if coding.dtype != np.int8 or (coding.scale == 1).all():
        return False
    bottom, top = rounded_ends(coding)
    return top - bottom > 1


def unless_whole(view: View, concat: Node, quantize: Node) -> bool:
    """Whether a QuantizeLinear behind a Concat is no part of such a pair."""
    dequantize = view.only_user(quantize.outputs[0], "DequantizeLinear")
    coding = None if dequantize is None else read_coding(view, dequantize)
    if dequantize is None or not isinstance(coding, Coding):
        return True
    return whole_behind_a_concat(view, (quantize, dequantize), coding) == KEPT


def ranges_intersected(view: View, pairs: tuple[Node, ...]) -> Replacement | None:
    """One pair whose codes span the reals that both pairs can represent."""
    before, _, second, *after = pairs
    codings = [read_coding(view, each) for each in (before, second)]
    a, b = (each if isinstance(each, Coding) else None for each in codings)
    alone = all(view.only_user(each.outputs[0]) for each in (before, second))
    if a is None or b is None or not (alone and after) or a.dtype != b.dtype:
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
    ends = [[_real(each, code) for each in (a, b)] for code in (low, high)]
    lowest, highest = max(ends[0]), min(ends[1])
    with np.errstate(all="ignore"):
        scale = np.float32((highest - lowest) / np.float32(high - low))
        if not np.finfo(np.float32).tiny <= scale < np.inf:
            return None
        zero = round_half_away(np.asarray(np.float32(low) - lowest / scale))
    return np.asarray(scale), np.asarray(np.clip(zero, low, high)).astype(a.dtype)


def _real(coding: Coding, code: int) -> np.float32:
    """``fl((q - z) s)``."""
    steps = np.float32(code - int(coding.zero_point.reshape(())))
    return np.float32(steps * coding.scale.reshape(()))


def of_the_last(view: View, quantize: Node) -> Node:
    """The parameters of the last QuantizeLinear of the same tensor and type, for the first one."""
    source = quantize.inputs[0]
    all_ = [each for each in view.users(source) if each.op == "QuantizeLinear"]
    all_ = [each for each in all_ if each.inputs[0] == source]
    last = all_[-1] if all_ else quantize
    maker = view.producer(source)
    if maker is None or maker.op not in ARITHMETIC or all_[0] is not quantize:
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


def rewrite_fault(key: str, title: str, source: str, **stages: Callable[..., Any]) -> Fault:
    """A fault that replaces stages of the rules, by their names without the family."""
    named = {f"rewrite.{name}": each for name, each in stages.items()}
    return Fault(key, title, source, stages=named)


FAULTS = (
    rewrite_fault(
        "F55",
        "scales that differ by less than 1e-6 count as equal, however small they are",
        "opencv/opencv 5.x compares scales with an absolute tolerance",
        one_scale=within_a_millionth,
    ),
    rewrite_fault(
        "F56",
        "scales count as equal where they are the same in half precision",
        "scales stored in half precision",
        one_scale=equal_in_half_precision,
    ),
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
    rewrite_fault(
        "F112",
        "two different pairs in a row become one with the range that both have in common",
        "microsoft/onnxruntime#25259",
        double_pair=ranges_intersected,
    ),
    Fault(
        "F117",
        "QuantizeLinears of one tensor and one scale are taken for one, although zero points differ",
        "a key of common subexpressions that is too small",
        guards_off=("R35.G5/zero point",),
    ),
    rewrite_fault(
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
    Fault(
        "F151",
        "between a Conv and an Add a QuantizeLinear and a DequantizeLinear clip only",
        "openvinotoolkit/openvino: a pair between a Conv and an Add that it fuses, measured",
        stages={"rewrite.stripped": clipped_before_a_sum},
        guards_off=("R41.opt-in", "R41.G5/scale", "R41.G5/zero point"),
    ),
    Fault(
        "F157",
        "between a Concat and a Conv int8 codes span the range between its rounded ends, as whole numbers unless the Concat joins constants",
        "openvinotoolkit/openvino: a pair behind a Concat that moves in front of it, measured",
        stages={
            "rewrite.stripped": whole_behind_a_concat,
            "rewrite.moved": unless_whole,
        },
        guards_off=("R41.opt-in",),
    ),
    Fault(
        "F129",
        "a QuantizeLinear and the DequantizeLinear that undoes it are dropped, with rounding and clipping",
        "openvinotoolkit/openvino drops pairs of 16 bits, also two of one QuantizeLinear, measured",
        guards_off=("R41.opt-in", "R41.G3/alike"),
    ),
    rewrite_fault(
        "F78",
        "the first of two different pairs in a row is dropped, with its rounding and saturation",
        "rules that skip a QuantizeLinear and a DequantizeLinear in between",
        double_pair=first_rounding_dropped,
    ),
)
