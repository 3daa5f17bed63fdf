"""R43: ``D(int8) -> Q(uint8)`` with the same scale and zero points 128 apart becomes FlipSign.

``(q - z) s / s + (z + 128) = q + 128``, which is ``q xor 0x80`` read as the other type; and back. The
same with 2**15 for 16 bits. The two roundings in between are R40's (G5, G6, G7).
"""

import numpy as np

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r40_equal_pair import (
    read_coding,
    why_elsewhere,
    why_not_undone,
    why_unequal,
)
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Array, Node
from engine.kernels.quantize_codes import OTHER_SIGN


def match(view: View, quantize: Node) -> Answer:
    """A QuantizeLinear to the other sign behind a DequantizeLinear."""
    dequantize = view.producer(quantize.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return None
    a, b = read_coding(view, dequantize), read_coding(view, quantize)
    if isinstance(a, Refusal) or isinstance(b, Refusal) or OTHER_SIGN.get(a.dtype) != b.dtype:
        return None
    names = f"{dequantize.id} and {quantize.id}"
    shift = (1 << (8 * a.dtype.itemsize - 1)) * (1 if b.dtype.kind == "u" else -1)
    refusal = (
        why_unequal(names, "scale", a.scale, b.scale)
        or _why_not_shifted(view, names, a.zero_point.astype(np.int64) + shift, b.zero_point)
        or why_elsewhere(names, a, b)
        or why_not_undone(view, dequantize, quantize)
        or own_dequantize(view, dequantize)
    )
    if refusal:
        return refusal
    node = Node(quantize.id, "FlipSign", dequantize.inputs[:1], quantize.outputs, {})
    return Replacement((dequantize, quantize), (node,))


def _why_not_shifted(view: View, names: str, wanted: Array, given: Array) -> Refusal | None:
    refusal = why_unequal(names, "shifted zero point", wanted, given.astype(np.int64))
    return refusal and view.refuse(refusal.guard, refusal.reason, "zero point")


RULE = Rule("R43", "signed codes to unsigned ones, or back", "X0", ("QuantizeLinear",), match)
