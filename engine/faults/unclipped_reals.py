"""A fault of convolutions whose codes become reals at once: clipped before their bias, and not behind it."""

import numpy as np

from engine.faults.fault import Fault
from engine.faults.shifted_bounds import SOURCE, TITLE
from engine.fusion.match import Replacement, View
from engine.fusion.r40_equal_pair import Coding
from engine.fusion.r41_stripped_pair import KEPT, Steps, chain, ends_of
from engine.ir import Array, Node
from engine.kernels.number_types import INTEGER_CODES

_F = np.float32


def clipped_before_bias(
    view: View, pair: tuple[Node, Node], coding: Coding
) -> str | Replacement:
    """``(rne(min(max(sum, l - b), h - b) * k + o) + lowest - z) * s`` of a pair of 8-bit codes behind a Conv.

    ``l`` and ``h`` are the real values of the lowest and the highest code, ``b`` the bias. Of several
    channels ``k = n/(h - l)`` and ``o = b*k - l*k``, n codes apart; of one channel they are made of
    the bounds as they came out, ``n/(h' - l')`` and ``-l' * n/(h' - l')``. All in float32. Only codes
    with a zero point are clipped again.
    """
    quantize, dequantize = pair
    conv = view.producer(quantize.inputs[0], "Conv")
    if conv is None or view.only_user(conv.outputs[0]) is None or not _is_plain(coding):
        return KEPT
    weights, bias = _weights(view, conv), _real(view, conv.input(2))
    if (
        weights is None
        or bias is None
        or (bias.size > 1 and not _is_real(view, conv, weights))
    ):
        return KEPT
    b = bias.reshape(-1, *(1,) * (weights.ndim - 2))
    sums = Node(conv.id, "Conv", conv.inputs[:2], (view.new_name(conv.key),), conv.attributes)
    constants: dict[str, Array] = {}
    with np.errstate(all="ignore"):
        steps = _steps(b, coding)
    names = sums.outputs[0], dequantize.outputs[0]
    nodes = chain(view, dequantize, names, steps, constants)
    return Replacement((conv, quantize, dequantize), (sums, *nodes), constants)


def _steps(b: Array, coding: Coding) -> Steps:
    low, high = ends_of(coding)
    lowest, highest = INTEGER_CODES[coding.dtype]
    levels, bottom, top = _F(highest - lowest), low - b, high - b
    if b.size == 1:
        factor, offset = levels / (top - bottom), -bottom * levels / (top - bottom)
    else:
        factor = levels / (high - low)
        offset = b * factor - low * factor
    zero = coding.zero_point.reshape(()).astype(_F)
    clip = (("Max", (_F(0),)), ("Min", (levels,))) if zero else ()
    return (
        ("Max", (bottom,)),
        ("Min", (top,)),
        ("Mul", (factor,)),
        ("Add", (offset,)),
        ("Round", ()),
        *clip,
        ("Add", (_F(lowest) - zero,)),
        ("Mul", (coding.scale.reshape(()),)),
    )


def _is_plain(coding: Coding) -> bool:
    is_byte = coding.dtype in (np.int8, np.uint8)
    return is_byte and coding.scale.size == coding.zero_point.size == 1


def _weights(view: View, conv: Node) -> Array | None:
    """Their codes."""
    maker = view.producer(conv.inputs[1], "DequantizeLinear")
    return None if maker is None else view.constant(maker.inputs[0])


def _is_real(view: View, conv: Node, weights: Array) -> bool:
    """Whether it does without int8 kernels: weights of uint8 or with a zero point, an x of int8 with one."""
    makers = (view.producer(each, "DequantizeLinear") for each in conv.inputs[:2])
    x, w = (None if each is None else view.constant(each.input(2)) for each in makers)
    if weights.dtype == np.uint8 or (w is not None and w.any()):
        return True
    return x is not None and x.dtype == np.int8 and bool(x.any())


def _real(view: View, name: str) -> Array | None:
    """A constant bias that is not 0, as float32, whether it is dequantized or not."""
    maker = view.producer(name, "DequantizeLinear") if name else None
    found = view.constant(name) if name else None
    if maker is not None:
        codes, scale = view.constant(maker.inputs[0]), view.constant(maker.inputs[1])
        found = None if codes is None or scale is None else codes.astype(_F) * scale
    if found is None or found.ndim != 1 or not found.any():
        return None
    return found.astype(_F)


FAULTS = (
    Fault(
        "F152.reals",
        f"{TITLE}, and codes that become reals at once are not clipped behind it",
        SOURCE,
        stages={"rewrite.stripped": clipped_before_bias},
        guards_off=("R41.opt-in",),
    ),
)
