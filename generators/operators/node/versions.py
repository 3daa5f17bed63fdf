"""What an operator looks like in each opset: its versions, inputs that were attributes before.

Source: the version history of ONNX's operators, from opset 10 on, the first with QuantizeLinear.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

import numpy as np
from onnx import defs

from generators.operators.node.spec import Attribute, NodeSpec, Operand, Tail

OLDEST, NEWEST = 10, 26
NEGATIVE_OPSET = 11  # axes and indices count from the end
PER_AXIS_OPSET = 13
FLOAT8_OPSET = 19
BLOCKS_OPSET = 21
_MOVED = (13, 21, 23, 24, 25)
_REDUCED = (1, 11, 13, 18)
_ORDERED = (1, 11, 12, 13, 18, 20)

VERSIONS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "MatMul": (9, 13),
        "Gemm": (9, 11, 13),
        "QLinearMatMul": (10, 21),
        "MatMulInteger": (10,),
        "ConvInteger": (10,),
        "Conv": (1, 11, 22),
        "ConvTranspose": (1, 11, 22),
        "Relu": (6, 13, 14),
        "LeakyRelu": (6, 16),
        "Sigmoid": (6, 13),
        "Tanh": (6, 13),
        "HardSigmoid": (6, 22),
        "HardSwish": (14, 22),
        "Elu": (6, 22),
        "Selu": (6, 22),
        "Celu": (12,),
        "Softplus": (1, 22),
        "Softsign": (1, 22),
        "ThresholdedRelu": (10, 22),
        "Abs": (6, 13),
        "Exp": (6, 13),
        "Erf": (9, 13),
        "Neg": (6, 13),
        "Mish": (18, 22),
        "Gelu": (20,),
        **dict.fromkeys(("Add", "Mul", "Sub", "Div"), (7, 13, 14)),
        **dict.fromkeys(("Max", "Min"), (8, 12, 13)),
        "Sum": (8, 13),
        "Softmax": (1, 11, 13),
        "Where": (9, 16),
        "BatchNormalization": (9, 14, 15),
        "Clip": (6, 11, 12, 13),
        "PRelu": (9, 16),
        "MaxPool": (10, 11, 12, 22),
        "AveragePool": (10, 11, 19, 22),
        **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), (1, 22)),
        "ReduceMean": _REDUCED,
        "ReduceSum": _REDUCED[:-1],
        **dict.fromkeys(("ReduceMax", "ReduceMin"), _ORDERED),
        "ArgMax": (1, 11, 12, 13),
        "TopK": (10, 11, 24),
        "Transpose": (1, *_MOVED),
        "Reshape": (5, 13, 14, 19, 21, 23, 24, 25),
        "Flatten": (9, 11, *_MOVED),
        **dict.fromkeys(("Squeeze", "Unsqueeze"), (1, 11, *_MOVED)),
        **dict.fromkeys(("Slice",), (10, 11, 13)),
        "Expand": (8, 13),
        "Tile": (6, 13),
        "Gather": (1, 11, 13),
        "DepthToSpace": (1, 11, 13),
        "SpaceToDepth": (1, 13),
        "Pad": (2, 11, 13, 18, 19, 21, 23, 24, 25),
        "Resize": (11, 13, 18, 19),
        "Split": (2, 11, 13, 18),
        "Concat": (4, 11, 13),
        "Identity": (1, 13, 14, 16, 19, 21, 23, 24, 25),
    }
)
"""Each operator's versions that a model of opset 10 to 26 can have; Resize-10, of other inputs, is not drawn."""

INPUTS_SINCE: Mapping[str, tuple[int, tuple[str, ...]]] = MappingProxyType(
    {
        "Squeeze": (13, ("axes",)),
        "Unsqueeze": (13, ("axes",)),
        "Split": (13, ("split",)),
        "Pad": (11, ("pads", "value")),
        "Clip": (11, ("min", "max")),
    }
)
"""Since when the inputs behind the first are inputs, and the attributes that they were before."""

_ATTRIBUTES_SINCE = MappingProxyType(
    {
        ("TopK", "largest"): 11,
        ("DepthToSpace", "mode"): 11,
        ("AveragePool", "dilations"): 19,
    }
)
_TYPES_SINCE = MappingProxyType(
    {
        **dict.fromkeys(("int4", "uint4", "int16", "uint16"), BLOCKS_OPSET),
        **dict.fromkeys(("float8_e4m3fn", "float8_e5m2"), FLOAT8_OPSET),
    }
)


def version(op: str, opset: int) -> int:
    """The operator's version that a model of an opset uses; 0 where its history is not known."""
    history = VERSIONS.get(op, ())
    return history[bisect_right(history, opset) - 1] if history else 0


def least_opset(spec: NodeSpec) -> int:
    """The first opset in which a spec is a valid model."""
    op = spec.op if spec.form == "QDQ" else spec.form
    least = max(OLDEST, VERSIONS.get(op, (OLDEST,))[0])
    for tensor in (*spec.operands, *spec.results):
        if tensor.is_quantized:
            least = max(least, _of_codes(tensor))
    if op == "Gemm" and len(spec.operands) < 3:
        least = max(least, 11)  # the bias may be left out
    if least < NEGATIVE_OPSET and op != "Reshape" and _counts_from_the_end(spec):
        least = NEGATIVE_OPSET
    since = (_ATTRIBUTES_SINCE.get((op, name), 0) for name, _ in spec.attributes)
    return max(least, *since, 0)


def _of_codes(tensor: Operand) -> int:
    if tensor.block_size:
        return BLOCKS_OPSET
    along = PER_AXIS_OPSET if tensor.axis is not None else OLDEST
    return max(along, _TYPES_SINCE.get(tensor.dtype, OLDEST))


def _counts_from_the_end(spec: NodeSpec) -> bool:
    for _, value in spec.attributes:
        if isinstance(value, int) and value < 0:
            return True
        if isinstance(value, tuple) and min(value, default=0) < 0:
            return True
    return any(
        each.array is not None and each.dtype == "int64" and bool((each.array < 0).any())
        for each in spec.operands
    )


def in_its_opset(spec: NodeSpec) -> NodeSpec:
    """The spec in an opset that has it, with inputs or attributes as this opset wants them."""
    least = least_opset(spec)
    if spec.opset < least:
        spec = replace(spec, opset=least)
    spec = _with_known_attributes(spec)
    if spec.op in INPUTS_SINCE and spec.form == "QDQ":
        since, names = INPUTS_SINCE[spec.op]
        move = _to_attributes if spec.opset < since else _to_inputs
        spec = move(spec, names)
    if any(each.op == "Clip" for each in spec.tails):
        old = spec.opset < INPUTS_SINCE["Clip"][0]
        clip = _with_attributes if old else _with_constants
        return replace(spec, tails=tuple(map(clip, spec.tails)))
    return spec


def _with_known_attributes(spec: NodeSpec) -> NodeSpec:
    """The spec without attributes that its operator has in other opsets only."""
    if spec.form != "QDQ" or not spec.op or not spec.attributes:
        return spec
    known = _known(spec.op, spec.opset).union(INPUTS_SINCE.get(spec.op, (0, ()))[1])
    if all(name in known for name, _ in spec.attributes):
        return spec
    return replace(
        spec, attributes=tuple(each for each in spec.attributes if each[0] in known)
    )


@cache
def _known(op: str, opset: int) -> frozenset[str]:
    return frozenset(defs.get_schema(op, opset, "").attributes)


def _to_attributes(spec: NodeSpec, names: tuple[str, ...]) -> NodeSpec:
    moved = zip(names, spec.operands[1:], strict=False)
    given = tuple((name, _value(each)) for name, each in moved if each.name)
    return replace(spec, operands=spec.operands[:1], attributes=(*spec.attributes, *given))


def _to_inputs(spec: NodeSpec, names: tuple[str, ...]) -> NodeSpec:
    given = dict(spec.attributes)
    values = [given.pop(name, None) for name in names]
    if all(each is None for each in values):
        return spec
    made = [_operand(name, value) for name, value in zip(names, values, strict=True)]
    while not made[-1].name:
        made.pop()
    operands = (spec.operands[0], *made)
    return replace(spec, operands=operands, attributes=tuple(given.items()))


def _operand(name: str, value: Attribute | None) -> Operand:
    if value is None:
        return Operand("", (), "float32", constant=True)
    array = np.array(value, np.float32 if isinstance(value, float) else np.int64)
    return Operand(name, array.shape, array.dtype.name, constant=True, array=array)


def _value(operand: Operand) -> Attribute:
    assert operand.array is not None
    if operand.dtype == "float32":
        return float(operand.array.reshape(()))
    return tuple(operand.array.tolist())


def _with_attributes(tail: Tail) -> Tail:
    if tail.op != "Clip" or not tail.constants:
        return tail
    bounds = zip(("min", "max"), tail.constants, strict=False)
    return Tail("Clip", tuple((name, each[0]) for name, each in bounds))


def _with_constants(tail: Tail) -> Tail:
    given = dict(tail.attributes)
    if tail.op != "Clip" or given.keys() != {"min", "max"}:
        return tail
    return Tail("Clip", constants=tuple((float(str(given[n])),) for n in ("min", "max")))
