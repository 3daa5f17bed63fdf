"""A fault of sums: the zero point of one operand is added to the steps of the other before they are rounded."""

import numpy as np

from engine.faults.fault import Fault
from engine.fusion.match import Refusal, Replacement, View
from engine.fusion.r40_equal_pair import Coding, read_coding
from engine.fusion.r41_stripped_pair import KEPT, Steps, chain, is_constant
from engine.ir import Array, Node
from engine.kernels.number_types import INTEGER_CODES

_STAGE = "rewrite.stripped"
_CODES = (np.int8, np.uint8)
_PRODUCTS = frozenset(["Conv", "Gemm", "MatMul"])
_ALONE = frozenset(
    [
        "Abs",
        "Clip",
        "Elu",
        "Gelu",
        "HardSwish",
        "LeakyRelu",
        "Mish",
        "Neg",
        "PRelu",
        "Relu",
        "Round",
        "Sigmoid",
        "Sqrt",
        "Tanh",
    ]
)
_WITH_A_CONSTANT = frozenset(["Add", "Div", "Mul", "Sub"])
"""What is computed together with the products in front of it."""
_OF_THE_OTHER = _ALONE | {"DequantizeLinear", "QuantizeLinear"}
"""What may have made the other operand of an input of the model."""


def rounded_with_the_other(
    view: View, pair: tuple[Node, Node], coding: Coding
) -> Replacement | str:
    """``clip(rne(v/s + z') - z') * s``, z' the odd zero point of what is added, whose scale is s, too.

    v are sums of products, which nothing else reads, quantized or not. The pair's own zero point
    moves the bounds only.
    """
    add = view.only_user(pair[1].outputs[0], "Add")
    if add is None or not _is_rounded_alone(view, pair, add):
        return KEPT
    others = [each for each in add.inputs if each != pair[1].outputs[0]]
    maker = view.producer(others[0], "DequantizeLinear") if others else None
    if maker is None or not _is_simple(view, maker.inputs[0]):
        return KEPT
    if others[0] == add.inputs[0] and _takes_it_itself(view, pair[0], maker):
        return KEPT
    zero_point = _odd_zero_point(view, maker, coding)
    return KEPT if zero_point is None else _rounded(view, pair, coding, zero_point)


def rounded_each(view: View, pair: tuple[Node, Node], coding: Coding) -> Replacement | str:
    """The same, and where such a pair is, or was, every other adds its own odd zero point before it rounds."""
    found = rounded_with_the_other(view, pair, coding)
    if found is not KEPT or not any(_STAGE in each.guards for each in view.removed):
        return found
    zero_point = _odd_zero_point(view, pair[1], coding)
    return KEPT if zero_point is None else _rounded(view, pair, coding, zero_point)


def _rounded(
    view: View, pair: tuple[Node, Node], coding: Coding, zero_point: int
) -> Replacement:
    """Both nodes as one chain of reals, in float32."""
    quantize, dequantize = pair
    scale, own = coding.scale.reshape(()), int(coding.zero_point.reshape(()))
    low, high = (each - own for each in INTEGER_CODES[coding.dtype])
    steps: Steps = (
        ("Div", (scale,)),
        ("Add", (zero_point,)),
        ("Round", ()),
        ("Sub", (zero_point,)),
        ("Clip", (low, high)),
        ("Mul", (scale,)),
    )
    constants: dict[str, Array] = {}
    names = quantize.inputs[0], dequantize.outputs[0]
    nodes = chain(view, dequantize, names, steps, constants)
    return Replacement(pair, nodes, constants)


def _odd_zero_point(view: View, maker: Node, coding: Coding) -> int | None:
    """That of 8-bit codes whose scales are all that of the pair; else None."""
    other = read_coding(view, maker)
    if isinstance(other, Refusal) or not {other.dtype, coding.dtype} <= {
        *map(np.dtype, _CODES)
    }:
        return None
    scales = {*coding.scale.reshape(-1).tolist(), *other.scale.reshape(-1).tolist()}
    numbers = {int(each) for each in other.zero_point.reshape(-1)}
    is_one = coding.scale.size == coding.zero_point.size == len(scales) == len(numbers) == 1
    if not is_one or coding.scale.dtype != np.float32:
        return None
    (zero_point,) = numbers
    return zero_point if zero_point % 2 else None


def _is_simple(view: View, codes: str) -> bool:
    """Whether codes are an input, or made of one alone without products: of two sums of those it depends on more."""
    maker = view.producer(codes)
    while maker is not None and maker.op in _OF_THE_OTHER:
        codes = maker.inputs[0]
        maker = view.producer(codes)
    return maker is None and view.constant(codes) is None


def _takes_it_itself(view: View, quantize: Node, maker: Node) -> bool:
    """Whether an operand in front is quantized here, too, and something lies between the products and their own."""
    direct = view.producer(quantize.inputs[0], *_PRODUCTS)
    return direct is None and view.producer(maker.inputs[0]) is not None


def _is_rounded_alone(view: View, pair: tuple[Node, Node], add: Node) -> bool:
    """Whether a pair lies behind products, each read by the next alone.

    A Conv may go on to compute the Add and a QuantizeLinear behind it, and round as it should.
    """
    quantize, dequantize = pair
    names = (quantize.outputs[0], *_back_to_products(view, quantize.inputs[0]))
    shared = any(view.only_user(each) is None for each in names)
    if len(names) == 1 or shared or dequantize.inputs[0] != quantize.outputs[0]:
        return False
    quantized = any(each.op == "QuantizeLinear" for each in view.users(add.outputs[0]))
    return not (quantized and view.producer(names[-1], "Conv"))


def _back_to_products(view: View, name: str) -> tuple[str, ...]:
    """The tensors from one to the products of which it is computed element by element; () of anything else."""
    names = [name]
    while (maker := view.producer(names[-1])) is not None:
        if maker.op in _PRODUCTS:
            return tuple(names)
        tensors = [each for each in maker.inputs if each and not is_constant(view, each)]
        if maker.op not in _ALONE | _WITH_A_CONSTANT or len(tensors) != 1:
            break
        names += tensors
    return ()


_TITLE = "the odd zero point of what is added to quantized products is added before they are rounded: ties go to odd steps"
_SOURCE = "openvinotoolkit/openvino: low precision, an Add of two tensors of one scale, the zero point moved into the FakeQuantize behind a Conv or MatMul, measured"

FAULTS = (
    Fault(
        "F174",
        _TITLE,
        _SOURCE,
        stages={_STAGE: rounded_with_the_other},
        guards_off=("R41.opt-in",),
    ),
    Fault(
        "F174.each",
        f"{_TITLE}, and every other pair adds its own",
        _SOURCE,
        stages={_STAGE: rounded_each},
        guards_off=("R41.opt-in",),
    ),
)
