"""Axes of operands by name: those of one name have one size, so that sizes change consistently."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from generators.operators.node.shapes import result_shapes
from generators.operators.node.spec import Attribute, NodeSpec, Operand

Names = tuple[str, ...]
T = TypeVar("T", int, float)

GROUPS = "groups"
TIMES = "*"  # an axis "groups*C/groups" is as long as the product of the two
VARIED = 8  # steps in which repeated scales differ
IMAGE = ("i0", "i1", "i2")
KERNEL = ("k0", "k1", "k2")


def attribute(spec: NodeSpec, name: str, default: Attribute) -> Attribute:
    """An attribute, or its default."""
    return dict(spec.attributes).get(name, default)


def with_attribute(spec: NodeSpec, name: str, value: Attribute | None) -> NodeSpec:
    """The spec with an attribute in its old place, or behind the others; None takes it away."""
    given = dict(spec.attributes)
    if value is None:
        given.pop(name, None)
    else:
        given[name] = value
    return replace(spec, attributes=tuple(given.items()))


def _from_right(shape: Sequence[int]) -> Names:
    return tuple(f"d{len(shape) - i}" for i in range(len(shape)))


def _matmul(spec: NodeSpec) -> tuple[Names, ...]:
    a, b = (each.shape for each in spec.operands[:2])
    batch = tuple(f"b{len(a) - 2 - i}" for i in range(len(a) - 2))
    more = tuple(f"b{len(b) - 2 - i}" for i in range(len(b) - 2))
    left = (*batch, "M", "K") if len(a) > 1 else ("K",)
    return left, ((*more, "K", "N") if len(b) > 1 else ("K",))


def _gemm(spec: NodeSpec) -> tuple[Names, ...]:
    a = ("K", "M") if attribute(spec, "transA", 0) else ("M", "K")
    b = ("N", "K") if attribute(spec, "transB", 0) else ("K", "N")
    c = ("M", "N")[2 - len(spec.operands[2].shape) :] if len(spec.operands) > 2 else ()
    return a, b, c


def _convolution(spec: NodeSpec) -> tuple[Names, ...]:
    rank = len(spec.operands[0].shape) - 2
    ins, outs = "groups*C/groups", "groups*M/groups"
    x = ("batch", ins, *IMAGE[:rank])
    kernel = KERNEL[:rank]
    if spec.op == "ConvTranspose":
        return x, (ins, "M/groups", *kernel), (outs,)
    return x, (outs, "C/groups", *kernel), (outs,)


def _normalization(spec: NodeSpec) -> tuple[Names, ...]:
    rank = len(spec.operands[0].shape)
    x = ("batch", "C", *(f"d{rank - i}" for i in range(2, rank)))[:rank]
    return x, *((("C",),) * 4)


def _image(spec: NodeSpec) -> tuple[Names, ...]:
    return (("batch", "C", *IMAGE[: len(spec.operands[0].shape) - 2]),)


def _concat(spec: NodeSpec) -> tuple[Names, ...]:
    shape = spec.operands[0].shape
    at = int(str(attribute(spec, "axis", 0))) % len(shape)
    shared = _from_right(shape)
    return tuple(
        (*shared[:at], f"part {i}", *shared[at + 1 :]) for i in range(len(spec.operands))
    )


def _split(spec: NodeSpec) -> tuple[Names, ...]:
    shape = spec.operands[0].shape
    at = int(str(attribute(spec, "axis", 0))) % len(shape)
    names = _from_right(shape)
    return ((*names[:at], "", *names[at + 1 :]), ("",))


def _elementwise(spec: NodeSpec) -> tuple[Names, ...]:
    """Aligned at the right; what holds whole numbers is not aligned with anything."""
    return tuple(
        ("",) * len(each.shape) if each.dtype == "int64" else _from_right(each.shape)
        for each in spec.operands
    )


_AXES: Mapping[str, Callable[[NodeSpec], tuple[Names, ...]]] = MappingProxyType(
    {
        "MatMul": _matmul,
        "Gemm": _gemm,
        "Conv": _convolution,
        "ConvTranspose": _convolution,
        "BatchNormalization": _normalization,
        "Concat": _concat,
        "Split": _split,
        **dict.fromkeys(
            ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"), _image
        ),
    }
)


def axes(spec: NodeSpec) -> tuple[Names, ...]:
    """The names of each operand's axes; an empty one belongs to nothing that may change."""
    return _AXES.get(spec.op, _elementwise)(spec)


def sizes(spec: NodeSpec) -> dict[str, int]:
    """The size of each axis by name; of what is broadcast, the larger."""
    found: dict[str, int] = {}
    groups = int(str(attribute(spec, "group", 1)))
    for operand, names in zip(spec.operands, axes(spec), strict=False):
        for size, name in zip(operand.shape, names, strict=False):
            *times, last = name.split(TIMES)
            if times:
                size, found[GROUPS] = size // groups, groups
            if last:
                found[last] = max(size, found.get(last, 1))
    return found


def resized(spec: NodeSpec, changes: Mapping[str, int]) -> NodeSpec | None:
    """The spec with other sizes, its results too; None where no valid model has them."""
    return inferred(with_sizes(spec, changes))


def with_sizes(spec: NodeSpec, changes: Mapping[str, int]) -> NodeSpec:
    """The spec with operands of other sizes, its results not yet made to fit.

    Scales and zero points are repeated or cut; arrays of plain operands too, and given codes dropped.
    What is broadcast along an axis stays so.
    """
    old = sizes(spec)
    new = {**old, **changes}
    operands = [
        reshaped(operand, _shape(operand, names, old, new))
        for operand, names in zip(spec.operands, axes(spec), strict=False)
    ]
    spec = replace(spec, operands=(*operands, *spec.operands[len(operands) :]))
    if GROUPS in changes:
        spec = with_attribute(spec, "group", changes[GROUPS])
    kernel = tuple(new[name] for name in KERNEL if name in new)
    if kernel and any(name in changes for name in KERNEL):
        spec = with_attribute(spec, "kernel_shape", kernel)
    return spec


def _shape(
    operand: Operand, names: Names, old: Mapping[str, int], new: Mapping[str, int]
) -> tuple[int, ...]:
    shape = []
    for size, name in zip(operand.shape, names, strict=True):
        is_broadcast = TIMES not in name and size == 1 != old.get(name, 1)
        shape.append(
            size if not name or is_broadcast else prod(new[n] for n in name.split(TIMES))
        )
    return tuple(shape)


def inferred(spec: NodeSpec) -> NodeSpec | None:
    """The spec with the result shapes that follow from its operands; None where none do."""
    spec = _with_rows(spec)
    shapes = result_shapes(spec)
    if shapes is None or len(shapes) < len(spec.results):
        return None
    results = tuple(
        reshaped(each, shape) for each, shape in zip(spec.results, shapes, strict=False)
    )
    return replace(spec, results=results)


def _with_rows(spec: NodeSpec) -> NodeSpec:
    """Rows of constants behind the operator, as long as its own result's last axis."""
    if all(len(row) < 2 for tail in spec.tails for row in tail.constants):
        return spec
    shapes = result_shapes(replace(spec, tails=()))
    length = shapes[0][-1] if shapes and shapes[0] else 1
    tails = tuple(
        replace(each, constants=tuple(_fitted(row, length) for row in each.constants))
        for each in spec.tails
    )
    return replace(spec, tails=tails)


def reshaped(tensor: Operand, shape: tuple[int, ...]) -> Operand:
    """The tensor in another shape, everything about it made to fit."""
    if shape == tensor.shape:
        return tensor
    array = tensor.array
    if array is not None:
        array = None if tensor.is_quantized else np.resize(array, shape)
    if tensor.axis is not None and not -len(shape) <= tensor.axis < len(shape):
        tensor = per_tensor(tensor)
    return refitted(replace(tensor, shape=shape, array=array))


def per_tensor(tensor: Operand) -> Operand:
    """The tensor with its first scale and zero point alone."""
    first = (tensor.scales[:1], tensor.zero_points[:1])
    return replace(tensor, scales=first[0], zero_points=first[1], axis=None, block_size=0)


def refitted(tensor: Operand) -> Operand:
    """The tensor with as many scales and zero points as its shape, axis and blocks ask for.

    No two rounds of repeated scales are alike: a period could agree with that of something else.
    """
    count = prod(tensor.parameters_shape)
    if not tensor.is_quantized or (len(tensor.scales), len(tensor.zero_points)) == (
        count,
        count,
    ):
        return tensor
    have = len(tensor.scales)
    scales = tuple(
        tensor.scales[i % have] * (1 + i // have % (VARIED - 1) / VARIED) for i in range(count)
    )
    zeros = tuple(tensor.zero_points[i % len(tensor.zero_points)] for i in range(count))
    return replace(tensor, scales=scales, zero_points=zeros)


def _fitted(row: tuple[T, ...], count: int) -> tuple[T, ...]:
    if len(row) in (1, count):
        return row
    return tuple(row[i % len(row)] for i in range(count)) if count > 1 else row[:1]
