"""What plain random choice never draws, and engines' bugs hide behind; drawn on purpose and often.

Attributes at their default, written or left out; optional inputs left out; zero points left out;
Q and DQ with the newest attributes, saying what they mean anyway; wide, narrow and float codes; scales that
are negative, tiny, huge or denormal. None changes what the operator is, or which elements it reads.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from generators import qparams
from generators.builder import SPELLED
from generators.choices import Choices
from generators.operators.node.axes import with_attribute
from generators.operators.node.defaults import defaults, left_out
from generators.operators.node.drawing import beside
from generators.operators.node.movement import MOVES
from generators.operators.node.spec import NodeSpec, Operand
from generators.operators.node.versions import BLOCKS_OPSET, FLOAT8_OPSET
from generators.operators.node.words import OWN_SCALE

UNRELATED = OWN_SCALE.union(
    ("ArgMax", "Softplus", "Elu", "Celu", "Selu", "Mish", "Gelu", "HardSwish", "Neg"),
    ("ThresholdedRelu", "BatchNormalization", "PRelu", "Div", "Sub", "Identity"),
    (*MOVES, "Split", "Concat"),
)
"""Operators whose result has another range; and those that draw such parameters by themselves."""
Change = Callable[[Choices, NodeSpec], NodeSpec | None]

EIGHT_BITS = ("uint8", "int8")
WIDE = MappingProxyType({"uint8": "uint16", "int8": "int16"})
NARROW = MappingProxyType({"uint8": "uint4", "int8": "int4"})
FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
FACTORS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "negative": (-1.0,),
        "tiny": (2.0**-60, 2.0**-90 * 1.5),
        "huge": (2.0**60, 2.0**50 * 1.5),
        "denormal": (2.0**-140,),
    }
)
PRODUCTS = ("MatMul", "Gemm", "Conv", "ConvTranspose", "Mul")
SUMS = ("Add", "Sub", "Max", "Min", "Sum", "Concat", "Where")
ALONE = (
    *("Relu", "LeakyRelu", "Abs", "Neg", "PRelu", "MaxPool", "AveragePool"),
    *("GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "ReduceMax"),
    *("ReduceMin", "ArgMax", "TopK", "Transpose", "Reshape", "Flatten", "Squeeze"),
    *("Unsqueeze", "Slice", "Expand", "Tile", "Gather", "DepthToSpace", "SpaceToDepth"),
    *("Resize", "Split", "Div"),
)
"""Operators whose results grow with their first operand; with all of them; with either."""
ORDERED = (
    "Max",
    "Min",
    "MaxPool",
    "GlobalMaxPool",
    "ReduceMax",
    "ReduceMin",
    "ArgMax",
    "TopK",
)
LEAVABLE: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"Clip": (1, 2), "Squeeze": (1,), "Slice": (4,), "Pad": (2,)}
)
"""Inputs that say what holds without them, or whose absence leaves another valid operator."""


def coincide(choices: Choices, spec: NodeSpec) -> NodeSpec:
    """The spec, three times in four with one coincidence more."""
    if not choices.flag(4):
        changes = _CHANGES_ON_CODES if spec.form != "QDQ" else _changes(spec.opset)
        return choices.pick(changes)(choices, spec) or spec
    return spec


def _changes(opset: int) -> Sequence[Change]:
    if opset >= BLOCKS_OPSET:
        return (*_CHANGES, *_NEWER, *_NEWEST)
    return (*_CHANGES, *_NEWER) if opset >= FLOAT8_OPSET else _CHANGES


def _write_default(choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    left = list(left_out(spec).items())
    return with_attribute(spec, *choices.pick(left)) if left else None


def _leave_default(choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    given = dict(spec.attributes)
    said = [name for name, value in defaults(spec).items() if given.get(name) == value]
    return with_attribute(spec, choices.pick(said), None) if said else None


def _leave_input(choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    places = [i for i in LEAVABLE.get(spec.op, ()) if i < len(spec.operands)]
    if not places:
        return None
    at = choices.pick(places)
    if spec.op == "Slice" and not _says(spec.operands[at], 1):
        return None
    operands = list(spec.operands)
    operands[at] = Operand("", (), "float32", constant=True)
    while not operands[-1].name:
        operands.pop()
    return replace(spec, operands=tuple(operands))


def _says(operand: Operand, value: int) -> bool:
    return operand.array is not None and operand.array.tolist() == [value]


def _leave_zero_points(_choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    """No zero point is written where 0 is the default."""

    def without(tensor: Operand) -> Operand:
        return replace(tensor, zero_points=(0,) * len(tensor.zero_points))

    return replace(_mapped(spec, without), zero_points_written=False)


def _mapped(spec: NodeSpec, change: Callable[[Operand], Operand]) -> NodeSpec:
    """The spec with each quantized tensor of 8 bits changed."""
    operands, results = (
        tuple(change(t) if t.is_quantized and t.dtype in EIGHT_BITS else t for t in tensors)
        for tensors in (spec.operands, spec.results)
    )
    return replace(spec, operands=operands, results=results)


def _spell(choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    """Attributes of Q and DQ that say what holds anyway."""
    known = [name for name, since in SPELLED.items() if since <= spec.opset]
    first = choices.pick(known)
    return replace(spec, spelled=tuple(known) if choices.flag(3) else (first,))


def _widen(choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    """Codes of 16 bits, 256 steps where there was one; weights may stay as they are."""
    keeps = choices.flag()
    noise = choices.pick((0, 1, 255, choices.integer(0, 255)))

    def wide(tensor: Operand) -> Operand:
        if tensor.array is not None or (keeps and tensor.constant):
            return tensor
        zeros = tuple(256 * zero + noise for zero in tensor.zero_points)
        scales = tuple(each / 256 for each in tensor.scales)
        dtype = WIDE[tensor.dtype]
        return replace(tensor, dtype=dtype, scales=scales, zero_points=zeros)

    return _mapped(spec, wide)


def _narrow(choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    """Codes of 4 bits, between reals: no engine hands out arrays of nibbles."""
    if not _stays_inside(spec):
        return None

    def narrow(tensor: Operand) -> Operand:
        zeros = tuple(zero >> 4 for zero in tensor.zero_points)
        scales = tuple(each * 16 for each in tensor.scales)
        dtype = NARROW[tensor.dtype]
        return replace(tensor, dtype=dtype, scales=scales, zero_points=zeros)

    return replace(_mapped(spec, narrow), x_float=True, y_float=True)


def _float(choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    """Codes that are floats of 8 bits, between reals; their zero points are 0."""
    if not _stays_inside(spec):
        return None
    dtype = choices.pick(FLOAT8)

    def floating(tensor: Operand) -> Operand:
        return replace(tensor, dtype=dtype, zero_points=(0,))

    return replace(_mapped(spec, floating), x_float=True, y_float=True)


def _stays_inside(spec: NodeSpec) -> bool:
    """Whether one operand and one result are quantized, and codes of other types stay inside."""
    first = spec.operands[0]
    others = [each.is_quantized for each in (*spec.operands[1:], *spec.results[1:])]
    one = first.is_quantized and spec.results[0].is_quantized and not any(others)
    return one and first.axis is None and not first.constant


def _relate(choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    """Parameters of the result that are the operand's, or miss that by the least that there is."""
    x = next((each for each in spec.operands if each.is_quantized), None)
    y = spec.results[0]
    if x is None or spec.op in UNRELATED or not y.is_quantized or x.dtype not in EIGHT_BITS:
        return None
    if x.axis is not None or min(x.scales) < 0:
        return None
    relation = choices.pick(("last bit", "one off", "like"))
    y = beside(choices, replace(y, dtype=x.dtype), x, relation)
    return replace(spec, results=(y, *spec.results[1:]))


def _scale(choices: Choices, spec: NodeSpec) -> NodeSpec | None:
    """Negative, tiny, huge or denormal scales, the same on all sides of the operator."""
    kind = choices.pick(tuple(FACTORS))
    factor = choices.pick(FACTORS[kind])
    is_plain = all(
        each.is_quantized or each.dtype in ("int64", "bool") or not each.name
        for each in spec.operands
    )
    if spec.tails or not is_plain or spec.x_float:
        return None
    if kind == "negative" and spec.form == "QDQ":
        return _turned(spec, first=spec.op in (*PRODUCTS, *ALONE, *SUMS))
    everywhere = range(len(spec.operands)) if spec.op in SUMS else (0, 2)
    if kind == "negative" or spec.op not in (*PRODUCTS, *ALONE, *SUMS):
        return None
    operands = tuple(
        _times(each, factor) if i in everywhere else each
        for i, each in enumerate(spec.operands)
    )
    results = tuple(_times(each, factor) for each in spec.results)
    return replace(spec, operands=operands, results=results)


def _turned(spec: NodeSpec, *, first: bool) -> NodeSpec | None:
    """The first scale negative: what is large becomes small."""
    x = spec.operands[0]
    if not first or not x.is_quantized or min(x.scales) < 0:
        return None
    if spec.op in ("Gemm", "ConvTranspose", "Conv") and len(spec.operands) > 2:
        return None  # a bias whose scale is the product would have a negative one, too
    return replace(spec, operands=(_times(x, -1.0), *spec.operands[1:]))


def _times(tensor: Operand, factor: float) -> Operand:
    scales = tuple(qparams.float32(each * factor) for each in tensor.scales)
    return replace(tensor, scales=scales) if all(scales) else tensor


_CHANGES_ON_CODES: Sequence[Change] = (
    _write_default,
    _leave_default,
    _scale,
    _relate,
    _relate,
)
_CHANGES: Sequence[Change] = (
    *(_write_default, _write_default, _leave_default, _leave_input),
    *(_leave_zero_points, _leave_zero_points, _scale, _scale, _relate, _relate),
)
_NEWER: Sequence[Change] = (_spell, _float)
_NEWEST: Sequence[Change] = (_spell, _widen, _widen, _widen, _narrow)
