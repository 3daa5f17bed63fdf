"""Moves on an operator itself: sizes, attributes, rank, operands, form, what surrounds it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from types import MappingProxyType

import numpy as np

from generators.operators.node import NodeSpec, Operand
from generators.operators.node.axes import (
    attribute,
    reshaped,
    sizes,
    with_attribute,
    with_sizes,
)
from generators.operators.node.families import family_of
from generators.operators.node.pool import AXES_INPUT
from generators.operators.node.spec import Attribute
from harness.law.node.moves import Move

SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 20, 24, 32, 33)
FEW_SIZES = (1, 2, 3)
IMAGE_SIZES = (1, 2, 3, 4, 5, 7, 8)
SQUARES = (2, 3, 5, 8, 16)
COINCIDENCES = (("K", "N"), ("M", "N"), ("M", "K"), ("M/groups", "C/groups"))
WINDOWS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"strides": (1, 2, 3), "dilations": (1, 2), "pads": (0, 1, 2), "kernel_shape": (1, 2, 3)}
)
ATTRIBUTES: Mapping[str, Mapping[str, tuple[Attribute | None, ...]]] = MappingProxyType(
    {
        "Gemm": {"alpha": (1.0, 0.5, 2.0, 0.3), "beta": (1.0, 0.5, 2.0, 0.0)},
        "MaxPool": {"ceil_mode": (0, 1)},
        "AveragePool": {"ceil_mode": (0, 1), "count_include_pad": (0, 1)},
        **{op: {"keepdims": (0, 1)} for op in (*AXES_INPUT, "ArgMax")},
        "TopK": {"largest": (0, 1)},
        "ArgMax": {"axis": (0, 1, -1), "keepdims": (0, 1)},
        "Softmax": {"axis": (0, 1, -1, 2), "opset": (None, 12, 13)},
        "LeakyRelu": {"alpha": (None, 0.1, 0.5, 1.5)},
        "Flatten": {"axis": (0, 1, 2, -1)},
        "DepthToSpace": {"mode": ("DCR", "CRD")},
        "Resize": {"mode": ("nearest", "linear")},
    }
)
WINDOWED = ("MaxPool", "AveragePool", "Conv", "ConvTranspose")


def size_moves(spec: NodeSpec) -> dict[str, list[Move]]:
    """By the name of an axis; and sizes made equal."""
    found = sizes(spec)
    moves: dict[str, list[Move]] = {}
    for name in found:
        is_few = name[0] in "kb" or name == "groups"
        values = FEW_SIZES if is_few else IMAGE_SIZES if name[0] == "i" else SIZES
        moves[name] = [partial(_resize, ((name, size),)) for size in values]
    for first, second in COINCIDENCES:
        if first in found and second in found:
            moves[f"{first} == {second}"] = [partial(_equal, first, second)]
    axes = [name for name in found if name[0] == "d"]
    if len(axes) > 1:
        moves["axes equal"] = [partial(_all_equal, size) for size in SQUARES]
    return moves


def _resize(
    changes: Sequence[tuple[str, int]], spec: NodeSpec, _rng: Random
) -> NodeSpec | None:
    return with_sizes(spec, dict(changes))


def _equal(first: str, second: str, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    found = sizes(spec)
    return with_sizes(spec, {second: found[first]}) if first in found else None


def _all_equal(size: int, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    return with_sizes(spec, {name: size for name in sizes(spec) if name[0] == "d"})


def attribute_moves(spec: NodeSpec) -> dict[str, list[Move]]:
    """The values of attributes that laws name."""
    moves: dict[str, list[Move]] = {}
    for name, values in ATTRIBUTES.get(spec.op, {}).items():
        if name == "opset" and spec.form == "QDQ":
            continue
        word = f"attribute {name}" if name == "opset" else name
        moves[word] = [partial(_set, name, value) for value in values]
    if spec.op == "Gemm":
        moves |= {f"trans{x}": [partial(_turned, i)] for i, x in enumerate("AB")}
    if spec.op in AXES_INPUT:
        moves["terms"] = [partial(_axes, axes) for axes in ((-1,), (1,), (0, -1), ())]
    if spec.op in WINDOWED:
        moves |= _window_moves(spec)
    return moves


def _set(name: str, value: Attribute | None, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    return with_attribute(spec, name, value)


def _turned(place: int, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    """A matrix of a Gemm stored the other way round."""
    name = f"trans{'AB'[place]}"
    tensor = spec.operands[place]
    turned = replace(tensor, shape=tensor.shape[::-1], array=None)
    if tensor.axis is not None:
        turned = replace(turned, axis=1 - tensor.axis % 2)
    operands = [turned if i == place else each for i, each in enumerate(spec.operands)]
    other = 1 - int(str(attribute(spec, name, 0)))
    return with_attribute(replace(spec, operands=tuple(operands)), name, other)


def _axes(axes: Sequence[int], spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    """A reduction of other axes, of all where none are given."""
    rank = len(spec.operands[0].shape)
    given = tuple(axes) or tuple(range(rank))
    if len({axis % rank for axis in given}) != len(given):
        return None
    return reducing(replace(spec, operands=spec.operands[:1]), given)


def reduced_axes(spec: NodeSpec) -> tuple[int, ...]:
    """The axes that a reduction is given, as an input or as an attribute."""
    if len(spec.operands) > 1 and spec.operands[1].array is not None:
        return tuple(int(each) for each in spec.operands[1].array.ravel())
    given = attribute(spec, "axes", ())
    return given if isinstance(given, tuple) else ()


def reducing(spec: NodeSpec, axes: tuple[int, ...]) -> NodeSpec:
    """With these axes in the place that the opset has for them; the result's rank is inferred."""
    spec = with_attribute(replace(spec, operands=spec.operands[:1]), "axes", None)
    if not axes:
        return spec
    if spec.opset < AXES_INPUT[spec.op]:
        return with_attribute(spec, "axes", axes)
    given = np.array(axes, np.int64)
    operand = Operand("e", given.shape, "int64", constant=True, array=given)
    return replace(spec, operands=(*spec.operands, operand))


def axes_in_place(spec: NodeSpec) -> NodeSpec:
    """A reduction whose axes are where its opset wants them; others as they are."""
    return reducing(spec, reduced_axes(spec)) if spec.op in AXES_INPUT else spec


def _window_moves(spec: NodeSpec) -> dict[str, list[Move]]:
    moves: dict[str, list[Move]] = {}
    for name, values in WINDOWS.items():
        if name == "kernel_shape" and spec.op not in ("MaxPool", "AveragePool"):
            continue  # that of the weights, whose axes are resized
        if name == "dilations" and spec.op.endswith("Pool"):
            continue  # averages have them only of late
        chosen: list[Move] = [partial(_all_axes, name, value) for value in values]
        moves[name] = [*chosen, *(partial(_one_axis, name, value) for value in values)]
    moves["pads"] += [_any_pads] * 3
    if spec.op.endswith("Pool"):
        paddings = ("SAME_UPPER", "SAME_LOWER", "VALID")
        moves["pads"] += [partial(_auto_pad, padding) for padding in paddings]
    if spec.op == "ConvTranspose":
        moves["output_padding"] = [
            *(partial(_one_axis, "output_padding", i) for i in (0, 1)),
            *(partial(_all_axes, "output_padding", i) for i in (0, 1)),
        ]
    return moves


def _per_axis(spec: NodeSpec, name: str) -> list[int]:
    rank = len(spec.operands[0].shape) - 2
    count = 2 * rank if name == "pads" else rank
    value = attribute(spec, name, (0 if name in ("pads", "output_padding") else 1,) * count)
    return list(value) if isinstance(value, tuple) else []


def _all_axes(name: str, value: int, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    values = _per_axis(spec, name)
    spec = with_attribute(spec, "auto_pad", None) if name == "pads" else spec
    return with_attribute(spec, name, (value,) * len(values))


def _one_axis(name: str, value: int, spec: NodeSpec, rng: Random) -> NodeSpec | None:
    values = _per_axis(spec, name)
    if not values:
        return None
    values[rng.randrange(len(values))] = value
    spec = with_attribute(spec, "auto_pad", None) if name == "pads" else spec
    return with_attribute(spec, name, tuple(values))


def _any_pads(spec: NodeSpec, rng: Random) -> NodeSpec | None:
    pads = tuple(rng.choice((0, 0, 1, 2)) for _ in _per_axis(spec, "pads"))
    return with_attribute(with_attribute(spec, "auto_pad", None), "pads", pads)


def _auto_pad(padding: str, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    return with_attribute(with_attribute(spec, "pads", None), "auto_pad", padding)


def rank_moves(spec: NodeSpec) -> dict[str, list[Move]]:
    """One axis more in front, or one less."""
    if spec.op == "MatMul" or family_of(spec).sizes.__name__ in ("broadcast", "plane"):
        return {"rank": [partial(_with_rank, 1), partial(_with_rank, -1)]}
    return {}


def _with_rank(more: int, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    """All operands of full rank, of a MatMul the first, with an axis of two in front, or with one less."""
    rank = len(spec.operands[0].shape) if spec.op == "MatMul" else len(spec.results[0].shape)
    places = [
        i
        for i, each in enumerate(spec.operands)
        if len(each.shape) == rank
        and each.dtype != "int64"
        and (i == 0 or spec.op != "MatMul")
    ]
    if rank + more < 1 or any(spec.operands[i].axis is not None for i in places):
        return None
    operands = list(spec.operands)
    for i in places:
        shape = operands[i].shape
        shape = (2, *shape) if more > 0 else shape[1:]
        operands[i] = reshaped(operands[i], shape)
    return replace(spec, operands=tuple(operands))
