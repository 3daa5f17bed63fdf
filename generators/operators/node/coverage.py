"""The cells of one operator: what a complete generator must produce of each, by name.

A cell is named after the operator as it stands in the model (``Relu``, ``QLinearAdd``), or after the family
where all its operators are served alike.
"""

from collections.abc import Iterator, Mapping
from itertools import chain, product
from math import frexp
from types import MappingProxyType

import numpy as np

from generators import arrays
from generators.builder import SPELLED
from generators.operators.node import (
    coincidences,
    conv_more,
    elementwise,
    matmul,
    movement,
    pool,
)
from generators.operators.node.build import LAYOUTS, operator_of
from generators.operators.node.defaults import DEFAULTS, defaults, label
from generators.operators.node.spec import NodeSpec, Operand
from generators.operators.node.versions import BLOCKS_OPSET, NEWEST, OLDEST, VERSIONS, version

LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "matmul": ("MatMul", "Gemm", *matmul.ON_CODES),
        "elementwise": (
            *elementwise.UNARY,
            *elementwise.BINARY,
            *("Sum", "Softmax", "Where", "BatchNormalization", "Clip", "PRelu"),
            *elementwise.ON_CODES,
            "QLinearWhere",
        ),
        "pool": (*pool.POOLS, *pool.REDUCTIONS, "ArgMax", "TopK", *pool.ON_CODES),
        "movement": (*movement.MOVES, "Split", "Concat", "QLinearConcat"),
        "other convolutions": conv_more.FORMS,
    }
)
"""What the operators of each family are called in models."""
RELATIONS = ("like x", "of a scale in the last bit", "of a zero point one off", "unlike x")
ZEROS = ("zero", "low", "high", "inner")
MAGNITUDES = ("negative", "tiny", "huge", "denormal", "power of two", "other")
SHAPES = ("axes equal", "an axis of 1", "one element")
_ALONE = ("elementwise", "pool", "movement")
"""Families with operators of one operand: their codes may be of types that no engine hands out."""
_NEVER = frozenset(
    (
        *((op, "one element") for op in ("DepthToSpace", "SpaceToDepth", "Resize", "Split")),
        *((op, "one element") for op in conv_more.FORMS),
        ("Where", "reals in"),
        ("ArgMax", "reals out"),
        ("Conv", 1),  # its scales lie along an axis
    )
)
"""What an operator cannot be."""
TINY, HUGE, DENORMAL = -40, 40, -125
_OTHER_TYPES = ("uint16", "int16", "uint4", "int4", *coincidences.FLOAT8)


def cells_of(family: str, spec: NodeSpec) -> Iterator[str]:
    """The names of the cells a spec belongs to, besides those of its family."""
    name = label(spec)
    yield f"{family} opset {spec.opset}"
    yield from (f"{family} {each} of Q and DQ written" for each in spec.spelled)
    if family == "blockwise":
        return
    if name in VERSIONS:
        yield f"{name}-{version(name, spec.opset)}"
    yield from _surroundings(name, spec)
    yield from _attributes(name, spec)
    yield from _shape(name, spec.operands[0].shape)
    x, y = _first(spec.operands), _first(spec.results)
    if x is not None:
        yield from _quantization(family, name, x)
    if y is not None and y.dtype in coincidences.EIGHT_BITS:
        yield f"{family} y zero point {y.dtype} {_zero(y)}"
    if x is not None and y is not None and _is_related(family, spec.op):
        yield f"{name} y {_relation(x, y)}"


def _is_related(family: str, op: str) -> bool:
    return family == "movement" or op not in coincidences.UNRELATED


def _first(tensors: tuple[Operand, ...]) -> Operand | None:
    return next((each for each in tensors if each.is_quantized and not each.block_size), None)


def _surroundings(name: str, spec: NodeSpec) -> Iterator[str]:
    if spec.form != "QDQ":
        return
    if spec.x_float and spec.operands[0].is_quantized:
        yield f"{name} reals in"
    if spec.y_float and spec.results[0].is_quantized:
        yield f"{name} reals out"
    if not spec.zero_points_written:
        yield f"{name} zero points left out"


def _attributes(name: str, spec: NodeSpec) -> Iterator[str]:
    given = dict(spec.attributes)
    for attribute, value in defaults(spec).items():
        if attribute not in given:
            yield f"{name} {attribute} left out"
        elif given[attribute] == value:
            yield f"{name} {attribute} at its default"
    for at in coincidences.LEAVABLE.get(spec.op, ()):
        if at >= len(spec.operands) or not spec.operands[at].name:
            yield f"{name} input {at} left out"


def _shape(name: str, shape: tuple[int, ...]) -> Iterator[str]:
    if len(shape) > 1 and shape[-1] == shape[-2] > 1:
        yield f"{name} axes equal"
    if 1 in shape:
        yield f"{name} an axis of 1"
    if set(shape) <= {1} and (name, "one element") not in _NEVER:
        yield f"{name} one element"


def _quantization(family: str, name: str, x: Operand) -> Iterator[str]:
    if x.dtype in coincidences.EIGHT_BITS:
        yield f"{name} x {x.dtype}"
        yield f"{family} x zero point {x.dtype} {_zero(x)}"
    else:
        yield f"{family} x {x.dtype}"
        if x.dtype.endswith("16"):
            yield f"{name} x of 16 bits"
    yield f"{family} scale {_magnitude(x.scales[0])}"


def _zero(tensor: Operand) -> str:
    zero, lowest = tensor.zero_points[0], arrays.LOWEST.get(tensor.dtype)
    if zero == 0 or lowest is None:
        return "zero" if zero == 0 else "inner"
    return {0: "low", 255: "high"}.get(zero - lowest, "inner")


def _magnitude(scale: float) -> str:
    mantissa, exponent = frexp(scale)
    if scale < 0:
        return "negative"
    if exponent < DENORMAL:
        return "denormal"
    if exponent < TINY or exponent > HUGE:
        return "tiny" if exponent < TINY else "huge"
    return "power of two" if mantissa == 0.5 else "other"


def _relation(x: Operand, y: Operand) -> str:
    if (x.dtype, len(x.scales)) != (y.dtype, len(y.scales)):
        return "unlike x"
    same_zero, same_scale = x.zero_points == y.zero_points, x.scales == y.scales
    if same_zero and same_scale:
        return "like x"
    if same_zero and _are_neighbours(x.scales[0], y.scales[0]):
        return "of a scale in the last bit"
    if same_scale and abs(x.zero_points[0] - y.zero_points[0]) == 1:
        return "of a zero point one off"
    return "unlike x"


def _are_neighbours(a: float, b: float) -> bool:
    return bool(np.nextafter(np.float32(a), np.float32(b)) == np.float32(b))


def all_cells(family: str) -> Iterator[str]:
    """Every cell that ``cells_of`` may name for a family's specs."""
    is_blocked = family == "blockwise"
    first = BLOCKS_OPSET if is_blocked else OLDEST
    yield from (f"{family} opset {opset}" for opset in range(first, NEWEST + 1))
    yield from (f"{family} {each} of Q and DQ written" for each in SPELLED)
    if is_blocked:
        return
    yield from (f"{family} scale {each}" for each in MAGNITUDES)
    for letter, dtype, zero in product("xy", coincidences.EIGHT_BITS, ZEROS):
        if (dtype, zero) != ("uint8", "low"):  # zero is the lowest code
            yield f"{family} {letter} zero point {dtype} {zero}"
    others = _OTHER_TYPES if family in _ALONE else _OTHER_TYPES[:2]
    yield from (f"{family} x {each}" for each in others)
    yield from chain.from_iterable(_all_of(family, each) for each in LABELS[family])


def _all_of(family: str, name: str) -> Iterator[str]:
    on_codes = name in LAYOUTS
    yield from (
        f"{name}-{each}" for each in VERSIONS.get(name, ()) if (name, each) not in _NEVER
    )
    if not on_codes:
        words = ("reals in", "reals out", "zero points left out", "x of 16 bits")
        yield from (f"{name} {each}" for each in words if (name, each) not in _NEVER)
    yield from (f"{name} {each}" for each in SHAPES if (name, each) not in _NEVER)
    yield from (f"{name} x {each}" for each in coincidences.EIGHT_BITS)
    if _is_related(family, operator_of(name) if on_codes else name):
        yield from (f"{name} y {each}" for each in RELATIONS)
    for attribute in DEFAULTS.get(name, ()):
        yield from (f"{name} {attribute} {each}" for each in ("left out", "at its default"))
    yield from (f"{name} input {at} left out" for at in coincidences.LEAVABLE.get(name, ()))
