"""R40: ``D -> Q`` with identical parameters becomes nothing.

``sat(rne(fl(fl(n * s) / s) + z)) == n + z``: with p bits of mantissa two roundings move a quotient n
by less than ``n * 2**(1 - p)``, which is below a half for ``|n| < 2**(p - 2)``. Identical means
bit-equal scales, zero points, types and granularity (G5); ``n * s`` must not leave the float type
(G6), whose mantissa must be long enough for the codes (G7). Float codes lie further apart than that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Array, Node
from engine.kernels.dequantize_linear import dequantize_linear
from engine.kernels.number_types import (
    BFLOAT16,
    E5M2,
    FLOAT8,
    FLOAT_CODES,
    INTEGER_CODES,
    POWER_OF_TWO,
    Dtype,
    largest,
)
from engine.kernels.quantize_linear import quantize_linear
from engine.kernels.quantize_parameters import FLOAT16, FLOAT32, division_type
from engine.onnx_tensor import element_dtype

_MANTISSA = {FLOAT32: 24, FLOAT16: 11, BFLOAT16: 8}
_SMALLEST_FOR_FLOATS = 2.0**-100
"""Times the smallest float8 this is a normal float32."""


@dataclass(frozen=True, slots=True)
class Coding:
    """The constant parameters of a QuantizeLinear or DequantizeLinear, as they are stored.

    ``real`` is the type it divides or multiplies in.
    """

    scale: Array
    zero_point: Array
    axis: int
    block_size: int
    real: Dtype

    @property
    def dtype(self) -> Dtype:
        """The type of the codes."""
        return self.zero_point.dtype


def match(view: View, quantize: Node) -> Answer:
    """A QuantizeLinear that undoes the DequantizeLinear in front of it."""
    dequantize = view.producer(quantize.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return None
    refusal = (
        why_different(view, dequantize, quantize)
        or why_not_undone(view, dequantize, quantize)
        or own_dequantize(view, dequantize)
    )
    return refusal or same_codes(view, dequantize, quantize)


def same_codes(view: View, dequantize: Node, quantize: Node) -> Replacement:
    """The codes in front of the pair are those behind it, bit for bit, also in another type (F39)."""
    source, covered = dequantize.inputs[:1], (dequantize, quantize)
    a, b = (read_coding(view, each) for each in covered)
    if isinstance(a, Refusal) or isinstance(b, Refusal) or a.dtype == b.dtype:
        view.excuse_where(lambda: _keeps_every_code(a, b))
        identity = Node(quantize.id, "Identity", source, quantize.outputs, {})
        return Replacement(covered, (identity,))
    name = view.new_name(f"{quantize.key}_type")
    bits = Node(quantize.id, "CastLike", (*source, name), quantize.outputs, {})
    return Replacement(covered, (bits,), {name: b.zero_point})


def read_coding(view: View, node: Node) -> Coding | Refusal:
    """G1, G7: the parameters of a Q or D whose scale and zero point are constant."""
    scale, zero_name = view.constant(node.input(1)), node.input(2)
    if scale is None:
        return Refusal(
            "G1", f"the scale {node.input(1)!r} of {node.id} is computed, not constant"
        )
    zero_point = view.constant(zero_name) if zero_name else None
    if zero_name and zero_point is None:
        return Refusal(
            "G1", f"the zero point {zero_name!r} of {node.id} is computed, not constant"
        )
    is_dequantize = node.op == "DequantizeLinear"
    if zero_point is None:
        codes = node.inputs[0] if is_dequantize else node.outputs[0]
        dtype = view.code_dtype(codes)
        if dtype is None:
            return Refusal("G7", f"the type of the codes of {node.id} is unknown")
        zero_point = np.zeros(scale.shape, dtype)
    if zero_point.dtype not in INTEGER_CODES and zero_point.dtype not in FLOAT_CODES:
        return Refusal("G7", f"{node.id} has {zero_point.dtype} codes, no type of codes")
    number = node.attributes.get("output_dtype" if is_dequantize else "precision", 0)
    real = element_dtype(number) if isinstance(number, int) and number else None
    axis, size = node.attributes.get("axis", 1), node.attributes.get("block_size", 0)
    return Coding(
        scale,
        zero_point,
        axis if isinstance(axis, int) else 1,
        size if isinstance(size, int) else 0,
        division_type(scale.dtype, real),
    )


def why_different(view: View, first: Node, second: Node) -> Refusal | None:
    """G5: a Q and a D must have the same scale, zero point, type, axis and block size."""
    a, b = read_coding(view, first), read_coding(view, second)
    if isinstance(a, Refusal):
        return a
    if isinstance(b, Refusal):
        return b
    for refusal, detail in _differences(f"{first.id} and {second.id}", a, b):
        if refusal is None or (detail == "scale" and _is_one_scale(view, a.scale, b.scale)):
            continue
        if said := view.refuse(refusal.guard, refusal.reason, detail):
            return said
    return None


def _is_one_scale(view: View, left: Array, right: Array) -> bool:
    """Whether a fault takes two scales for one, although their bits differ."""
    return bool(view.by_stage("rewrite.one_scale", are_never_one, left, right))


def are_never_one(left: Array, right: Array) -> bool:
    """Whether scales whose bits differ are nevertheless one: no tolerance."""
    return False


def _keeps_every_code(a: Coding | Refusal, b: Coding | Refusal) -> bool:
    """Whether D and Q of one float32 scale each lead every code back to itself."""
    if isinstance(a, Refusal) or isinstance(b, Refusal) or a.dtype not in INTEGER_CODES:
        return False
    if any(each.scale.size > 1 or each.scale.dtype != FLOAT32 for each in (a, b)):
        return False
    low, high = INTEGER_CODES[a.dtype]
    codes = np.arange(low, high + 1).astype(a.dtype)
    (s, z), (t, y) = (
        (each.scale.reshape(()), each.zero_point.reshape(-1)[0]) for each in (a, b)
    )
    return np.array_equal(quantize_linear(dequantize_linear(codes, s, z), t, y), codes)


def _differences(names: str, a: Coding, b: Coding) -> Iterator[tuple[Refusal | None, str]]:
    if a.dtype != b.dtype:
        yield Refusal("G5", f"{names} have {a.dtype} and {b.dtype} codes"), "type"
    yield why_unequal(names, "scale", a.scale, b.scale), "scale"
    if a.dtype == b.dtype:
        yield why_unequal(names, "zero point", a.zero_point, b.zero_point), "zero point"
    yield why_elsewhere(names, a, b), "axis"


def why_unequal(names: str, what: str, left: Array, right: Array) -> Refusal | None:
    """G5 for one parameter: bit-equal, a scalar being equal to a vector of one."""
    if left.shape != right.shape and not left.size == right.size == 1:
        return Refusal("G5", f"{names} differ: {what}s {left.shape} and {right.shape}")
    if left.dtype != right.dtype:
        return Refusal("G5", f"{names} differ: {what}s {left.dtype} and {right.dtype}")
    if left.tobytes() == right.tobytes():
        return None
    a, b = left.reshape(-1), right.reshape(-1)
    k = int((a.view(np.uint8) != b.view(np.uint8)).argmax()) // left.itemsize
    where = f" {k}" if left.size > 1 else ""
    return Refusal("G5", f"{names} differ: {what}{where} {a[k]} and {b[k]}")


def why_elsewhere(names: str, a: Coding, b: Coding) -> Refusal | None:
    """G5 for the axis and the block size, where more than one scale makes them matter."""
    if a.scale.size == a.zero_point.size == 1:
        return None
    if a.axis != b.axis:
        return Refusal("G5", f"{names} differ: axis {a.axis} and {b.axis}")
    if a.block_size != b.block_size:
        return Refusal("G5", f"{names} differ: block_size {a.block_size} and {b.block_size}")
    return None


def why_not_undone(view: View, dequantize: Node, quantize: Node) -> Refusal | None:
    """G6, G7: the product and the quotient between the two must lead back to every code."""
    a, b = read_coding(view, dequantize), read_coding(view, quantize)
    if isinstance(a, Refusal):
        return a
    if isinstance(b, Refusal):
        return b
    if a.real != b.real or a.scale.dtype not in (a.real, POWER_OF_TWO):
        return Refusal(
            "G7",
            f"{dequantize.id} works in {a.real}, {quantize.id} in {b.real}, not in one type",
        )
    if a.dtype in FLOAT_CODES:
        return _why_float_codes_move(dequantize, quantize, a)
    low, high = INTEGER_CODES[a.dtype]
    if high - low >= 2 ** (_MANTISSA.get(a.real, 0) - 2):
        return Refusal(
            "G7",
            f"{a.real} between {dequantize.id} and {quantize.id} is too short for {a.dtype}",
        )
    scale = np.abs(a.scale.astype(np.float64)).max(initial=0)
    if scale * (high - low) > largest(a.real):
        return Refusal(
            "G6", f"the scale {scale} of {dequantize.id} overflows {a.real} times {high - low}"
        )
    return None


def _why_float_codes_move(dequantize: Node, quantize: Node, a: Coding) -> Refusal | None:
    if a.zero_point.any():
        return Refusal(
            "G7", f"{dequantize.id} has {a.dtype} codes and a zero point other than 0"
        )
    if a.dtype not in FLOAT8 and quantize.input(2):
        return Refusal("G7", f"{quantize.id} adds a zero point, which makes code 0 of code -0")
    if a.real != FLOAT32:
        return Refusal(
            "G7",
            f"{a.real} between {dequantize.id} and {quantize.id} is too short for {a.dtype}",
        )
    if a.dtype == E5M2 and quantize.attributes.get("saturate", 1):
        return Refusal("G7", f"{quantize.id} saturates, which would change infinite codes")
    scales = np.abs(a.scale.astype(np.float64))
    small, big = scales.min(initial=1), scales.max(initial=1)
    if small < _SMALLEST_FOR_FLOATS or big * largest(a.dtype) > largest(FLOAT32):
        return Refusal(
            "G6", f"a scale of {dequantize.id}, {small} to {big}, leaves float32 times a code"
        )
    return None


RULE = Rule(
    "R40", "DequantizeLinear undone by QuantizeLinear", "X0", ("QuantizeLinear",), match
)
