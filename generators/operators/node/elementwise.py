"""Element-wise operators of one, two or more operands, activations, Softmax, Where, BatchNormalization."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from generators import qparams
from generators.arrays import noise
from generators.choices import Choices
from generators.operators.node.drawing import Draw, beside, float_constant, plain, reach
from generators.operators.node.spec import Attribute, NodeSpec, Operand, Tail

Attributes = tuple[tuple[str, Attribute], ...]

UNARY: Mapping[str, tuple[int, Attributes]] = MappingProxyType(
    {
        "Relu": (6, ()),
        "LeakyRelu": (6, (("alpha", 0.1),)),
        "Sigmoid": (6, ()),
        "Tanh": (6, ()),
        "HardSigmoid": (6, (("alpha", 0.2), ("beta", 0.5))),
        "HardSwish": (14, ()),
        "Elu": (6, (("alpha", 1.0),)),
        "Selu": (6, ()),
        "Celu": (12, (("alpha", 1.0),)),
        "Softplus": (1, ()),
        "Softsign": (1, ()),
        "ThresholdedRelu": (10, (("alpha", 0.5),)),
        "Abs": (6, ()),
        "Exp": (6, ()),
        "Erf": (9, ()),
        "Neg": (6, ()),
        "Mish": (18, ()),
        "Gelu": (20, ()),
    }
)
"""Operators of one input: the first opset, and attributes that are written down half the time."""

BOUNDED = ("Sigmoid", "HardSigmoid", "Tanh", "Softsign", "Erf", "Softmax")
BINARY = ("Add", "Mul", "Sub", "Div", "Max", "Min")
VARIADIC = ("Sum", "Max", "Min")
ON_CODES = ("QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax")
BROADCASTS = ("equal", "scalar", "channel", "inner", "both")
SCALES = ("equal", "unequal", "a last bit apart", "equal, zero points one off")
RELATIONS = MappingProxyType(
    dict(zip(("equal", SCALES[2], SCALES[3]), ("like", "last bit", "one off"), strict=True))
)
ALL_CELLS = (
    *(f"unary {op}" for op in UNARY),
    *(f"binary {op}" for op in BINARY),
    *(f"broadcast {each}" for each in BROADCASTS),
    *(f"binary scales {each}" for each in SCALES),
    *(f"variadic {op}" for op in VARIADIC),
    *(f"elementwise {op}" for op in ON_CODES),
    "elementwise Softmax",
    "elementwise Where",
    "elementwise Where with a constant",
    "elementwise QLinearWhere",
    "elementwise BatchNormalization",
    "elementwise Clip",
    "elementwise PRelu",
    "elementwise SiLU",
    "elementwise constant operand",
    "binary tail Relu",
    "binary tail Clip",
)


def spec(choices: Choices, scales: str) -> tuple[NodeSpec, frozenset[str]]:
    """One element-wise operator and the cells it belongs to."""
    draw = Draw.of(choices, scales)
    kind = choices.spread(
        (_binary, _unary, _unary, _binary, _variadic, _other, _unary, _on_codes)
    )
    return kind(draw)


def _unary(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    op = draw.choices.spread((*UNARY, "Relu", "LeakyRelu"))
    since, attributes = UNARY[op]
    x = draw.codes("x", draw.shape(draw.choices.pick((4, 2, 1, 3, 4, 2, 1, 3, 0)), 9))
    y = _result_of(draw, op, x)
    written = attributes if draw.choices.flag() else ()
    opset = max(draw.opset, since)
    return draw.spec(op, (x,), (y,), written, opset=opset), frozenset({f"unary {op}"})


def _result_of(draw: Draw, op: str, x: Operand, shape: tuple[int, ...] = ()) -> Operand:
    """A result in the range of a function: at most 1, or that of the operand."""
    if op in BOUNDED:
        y = draw.result(shape or x.shape, 256.0, 1 / 256)
        natural = draw.choices.flag()
        return (
            replace(y, scales=(1 / 256,), zero_points=(-128 if y.dtype == "int8" else 0,))
            if natural
            else y
        )
    if op == "Exp":
        size = float(np.exp(min(reach(x) * x.scales[0], 8.0)))
        return draw.result(shape or x.shape, size * 64, 1 / 64)
    return draw.result(shape or x.shape, reach(x), x.scales[0])


def _binary(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    choices = draw.choices
    op = choices.spread((*BINARY, "Add", "Mul"))
    a, b, shape, broadcast = _pair(draw)
    equal = choices.spread(SCALES)
    if equal != "unequal":
        b = beside(choices, replace(b, dtype=a.dtype), a, RELATIONS[equal])
    cells = {f"binary {op}", f"broadcast {broadcast}", f"binary scales {equal}"}
    if choices.flag(4):
        b = replace(b, constant=True)
        cells.add("elementwise constant operand")
    if choices.flag(4) and broadcast != "both":
        a, b = replace(b, name="a"), replace(a, name="b")
    y = _binary_result(draw, op, a, b, shape)
    tails: tuple[Tail, ...] = ()
    if choices.flag(3):
        tails = choices.pick(((Tail("Relu"),), (Tail("Clip", (), _bounds(draw, y)),)))
        cells.add(f"binary tail {tails[0].op}")
    return draw.spec(op, (a, b), (y,), tails=tails), frozenset(cells)


def _pair(draw: Draw) -> tuple[Operand, Operand, tuple[int, ...], str]:
    shape = draw.shape(draw.choices.pick((4, 3, 2)), 9)
    broadcast = draw.choices.spread(BROADCASTS)
    other: tuple[int, ...] = shape
    if broadcast == "scalar":
        other = draw.choices.pick(((), (1,)))
    elif broadcast == "channel":
        other = (shape[1], *(1,) * (len(shape) - 2))
    elif broadcast == "inner":
        other = shape[-1:]
    elif broadcast == "both":
        a = draw.codes("a", (shape[0], *(1,) * (len(shape) - 1)))
        return a, draw.codes("b", shape[1:]), shape, broadcast
    return draw.codes("a", shape), draw.codes("b", other), shape, broadcast


def _binary_result(
    draw: Draw, op: str, a: Operand, b: Operand, shape: tuple[int, ...]
) -> Operand:
    if op == "Mul":
        return draw.result(shape, reach(a) * reach(b), a.scales[0] * b.scales[0])
    if op == "Div":
        return draw.result(shape, reach(a), a.scales[0] / b.scales[0] / 16)
    largest = max(reach(each) * each.scales[0] for each in (a, b))
    product = min(a.scales[0], b.scales[0])
    return draw.result(shape, largest / product * 1.5, product)


def _bounds(draw: Draw, y: Operand) -> tuple[tuple[float, ...], ...]:
    """A low bound at real 0 or on one side of it, and a high one, within the codes of a result."""
    step = y.scales[0]
    high = qparams.float32(draw.choices.pick((6.0, 20 * step, 90 * step)))
    low = draw.choices.pick((0.0, -high, qparams.float32(step)))
    return (min(low, high),), (high,)


def _variadic(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    op = draw.choices.spread(VARIADIC)
    shape = draw.shape(3, 7)
    parts = [draw.codes(letter, shape) for letter in "abcd"[: draw.choices.pick((3, 2, 4, 1))]]
    y = _binary_result(draw, "Add", parts[0], parts[-1], shape)
    return draw.spec(op, parts, (y,)), frozenset({f"variadic {op}"})


def _other(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    make = draw.choices.spread((_softmax, _where, _batch_normalization, _prelu, _silu, _clip))
    found, name = make(draw)
    return found, frozenset({f"elementwise {name}"})


def _softmax(draw: Draw) -> tuple[NodeSpec, str]:
    x = draw.codes("x", draw.shape(3, 9))
    axis = draw.choices.pick((-1, 1, 0, 2))
    written: Attributes = (("axis", axis),) if axis != -1 or draw.choices.flag() else ()
    y = _result_of(draw, "Softmax", x)
    opset = draw.choices.pick((0, 0, 12))  # below 13, all axes from axis on make a row
    return draw.spec("Softmax", (x,), (y,), written, opset=opset), "Softmax"


def _where(draw: Draw) -> tuple[NodeSpec, str]:
    shape = draw.shape(3, 7)
    flags = np.frombuffer(noise(draw.choices.integer(0, 999), prod(shape)), np.uint8) > 127
    condition = Operand("c", shape, "bool", array=flags.reshape(shape))
    a = draw.codes("a", shape)
    b = draw.codes("b", draw.choices.pick((shape, shape[-1:], ())))
    y = _binary_result(draw, "Add", a, b, shape)
    if draw.choices.flag(4):
        real = np.array(draw.choices.pick((0.0, 1.0, -60.0)) * a.scales[0], np.float32)
        b = Operand("b", (), "float32", constant=True, array=real)
        found = draw.spec(
            "Where", draw.choices.pick(((condition, a, b), (condition, b, a))), (y,)
        )
        return replace(found, x_float=False), "Where with a constant"
    on_codes = draw.choices.flag(3)
    form = "QLinearWhere" if on_codes else "QDQ"
    found = draw.spec("Where", (condition, a, b), (y,), form=form)
    return replace(found, x_float=False), "QLinearWhere" if on_codes else "Where"


def _batch_normalization(draw: Draw) -> tuple[NodeSpec, str]:
    x = draw.codes("x", draw.shape(draw.choices.pick((4, 3, 2)), 9))
    rows = [float_constant(name, x.shape[1:2], draw) for name in "smbv"]
    variance = Operand("v", x.shape[1:2], "float32", constant=True, array=_positive(rows[3]))
    y = draw.result(x.shape, reach(x), x.scales[0])
    return draw.spec(
        "BatchNormalization", (x, *rows[:3], variance), (y,)
    ), "BatchNormalization"


def _positive(row: Operand) -> Array:
    raw = np.frombuffer(noise(row.seed, row.shape[0]), np.uint8)
    return (raw / np.float32(64) + np.float32(0.25)).astype(np.float32)


def _prelu(draw: Draw) -> tuple[NodeSpec, str]:
    x = draw.codes("x", draw.shape(3, 9))
    slope = float_constant("s", draw.choices.pick(((x.shape[1], 1), (1,), x.shape[1:])), draw)
    y = draw.result(x.shape, reach(x), x.scales[0])
    return draw.spec("PRelu", (x, slope), (y,)), "PRelu"


def _silu(draw: Draw) -> tuple[NodeSpec, str]:
    """``x * sigmoid(x)`` behind an addition."""
    a, b = draw.codes("a", draw.shape(3, 7)), None
    b = replace(draw.codes("b", a.shape), constant=draw.choices.flag())
    y = _binary_result(draw, "Add", a, b, a.shape)
    tails = (Tail("Sigmoid"), Tail("Mul", twice=True))
    return draw.spec("Add", (a, b), (y,), tails=tails), "SiLU"


def _clip(draw: Draw) -> tuple[NodeSpec, str]:
    """Bounds inside of what the codes stand for, at 0 or on both sides of it."""
    x = draw.codes("x", draw.shape(draw.choices.pick((4, 2, 3)), 9))
    high = float(np.float32(draw.choices.integer(1, 60) * x.scales[0]))
    low = draw.choices.pick((0.0, -high, high / 4))
    bounds = [plain(n, v, "float32") for n, v in (("l", low), ("h", high))]
    return draw.spec(
        "Clip", (x, *bounds), (draw.result(x.shape, reach(x), x.scales[0]),)
    ), "Clip"


def _on_codes(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    form = draw.choices.spread(ON_CODES)
    cells = frozenset({f"elementwise {form}"})
    if form in ("QLinearAdd", "QLinearMul"):
        op = form.removeprefix("QLinear")
        a, b, shape, broadcast = _pair(draw)
        y = _binary_result(draw, op, a, b, shape)
        return draw.spec(op, (a, b), (y,), form=form), cells | {f"broadcast {broadcast}"}
    x = draw.codes("x", draw.shape(draw.choices.pick((3, 2)), 9))
    op = form.removeprefix("QLinear")
    attributes: Attributes = ()
    if op == "LeakyRelu":
        attributes = (("alpha", draw.choices.pick((0.01, 0.1, 0.5))),)
    if op == "Softmax":
        axis, opset = draw.choices.pick((-1, 1, 0)), draw.choices.pick((draw.opset, 12))
        said: Attributes = (("axis", axis),) if axis != -1 or draw.choices.flag() else ()
        attributes = (*said, ("opset", opset))
    return draw.spec(op, (x,), (_result_of(draw, op, x),), attributes, form=form), cells
