"""Constants that say sizes, places or axes: what becomes of them when the sizes change."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

import numpy as np
import onnx

from corpus.case import Array
from generators.like.prepare import Shape

END = 2**30  # "to the end", whatever the size

SHAPE_INPUTS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("Reshape", "Expand", "Split", "Gather", "TopK", "Tile"), (1,)),
        **dict.fromkeys(("Squeeze", "Unsqueeze", "Upsample"), (1,)),
        **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"), (1,)),
        "ConstantOfShape": (0,),
        "Slice": (1, 2, 3, 4),
        "Resize": (1, 2, 3),
        "Pad": (1, 3),
    }
)
"""Which inputs of an operator hold such constants."""

Sizes = Mapping[int, int]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True, slots=True)
class _Said:
    """One such constant, of the node's input ``index``; shapes of the data before and after.

    ``made`` is the shape of the node's output before.
    """

    node: onnx.NodeProto
    index: int
    values: Array
    axes: Array | None
    before: Shape
    after: Shape
    made: Shape
    sizes: Sizes

    @property
    def is_known(self) -> bool:
        """Whether the data had and have a shape of one rank."""
        return bool(self.before) and len(self.before) == len(self.after)

    def axis(self, default: int) -> int:
        """The attribute."""
        return next((each.i for each in self.node.attribute if each.name == "axis"), default)


def adapted(
    graph: onnx.GraphProto,
    constants: Mapping[str, Array],
    old: Shapes,
    new: Shapes,
    sizes: Sizes,
) -> dict[str, Array]:
    """The constants of that kind for the new sizes; ``new`` shapes are those known so far."""
    return {
        node.input[index]: _adapted(node, index, constants, old, new, sizes)
        for node in graph.node
        for index in SHAPE_INPUTS.get(node.op_type, ())
        if index < len(node.input) and node.input[index] in constants
    }


def _adapted(
    node: onnx.NodeProto,
    index: int,
    constants: Mapping[str, Array],
    old: Shapes,
    new: Shapes,
    sizes: Sizes,
) -> Array:
    data = node.input[0]
    before = old.get(data, ())
    after = new.get(data) or tuple(sizes.get(each, each) for each in before)
    axes = constants.get(node.input[3]) if len(node.input) > 3 else None
    values = constants[node.input[index]]
    change = _CHANGES.get(node.op_type)
    made = old.get(node.output[0], ())
    said = _Said(node, index, values, axes, before, after, made, sizes)
    return change(said).astype(values.dtype) if change and values.size else values


def _target(said: _Said) -> Array:
    """A shape to reach. What is 0 or -1 stays so."""
    target = [int(size) for size in said.values.reshape(-1)]
    if said.node.op_type == "Reshape" and said.is_known and len(said.made) == len(target):
        regrouped = _regrouped(said)
        return np.array(
            [old if old < 1 else new for old, new in zip(target, regrouped, strict=True)]
        )
    return np.array([said.sizes.get(size, size) for size in target])


def _regrouped(said: _Said) -> list[int]:
    """The shape after a Reshape: runs of axes of equal product, before and after, keep theirs.

    Of several axes in a run the largest takes what the others leave.
    """
    found: list[int] = []
    for data, made in _runs(said.before, said.made):
        product = prod(said.after[n] for n in data)
        sizes = [said.made[n] for n in made]
        if not sizes:
            continue
        largest = sizes.index(max(sizes))
        new = [said.sizes.get(size, size) for size in sizes]
        rest = prod(size for n, size in enumerate(new) if n != largest)
        if product % max(rest, 1):
            new = list(sizes)
            rest = prod(size for n, size in enumerate(new) if n != largest)
        new[largest] = product // max(rest, 1)
        found += new
    return found


def _runs(before: Shape, made: Shape) -> Iterator[tuple[range, range]]:
    """The shortest runs of axes of both shapes that hold equally many elements."""
    i = j = 0
    while i < len(before) or j < len(made):
        k, m = min(i + 1, len(before)), min(j + 1, len(made))
        while prod(before[i:k]) != prod(made[j:m]):
            shorter = prod(before[i:k]) < prod(made[j:m])
            if k == len(before) and m == len(made):
                break
            k, m = (
                (k + 1, m) if (shorter and k < len(before)) or m == len(made) else (k, m + 1)
            )
        yield range(i, k), range(j, m)
        i, j = k, m


def _bounds(said: _Said) -> Array:
    """Starts and ends of a Slice, in proportion to their axis."""
    if said.index > 2 or not said.is_known:
        return said.values
    values = [int(each) for each in said.values.reshape(-1)]
    axes = range(len(values)) if said.axes is None else said.axes.reshape(-1).tolist()
    moved = [
        value if abs(value) >= END else _scaled(value, said.before[axis], said.after[axis])
        for value, axis in zip(values, axes, strict=True)
    ]
    return np.array(moved)


def _scaled(value: int, before: int, after: int) -> int:
    size = min(-(-abs(value) * after // max(before, 1)), after)
    return -size if value < 0 else size


def _parts(said: _Said) -> Array:
    """The sizes of a Split, in proportion; the last takes the rest."""
    if not said.is_known:
        return said.values
    before, after = (shape[said.axis(0)] for shape in (said.before, said.after))
    parts = [max(1, int(each) * after // before) for each in said.values]
    return np.array([*parts[:-1], after - sum(parts[:-1])])


def _enlarged(said: _Said) -> Array:
    """The sizes of a Resize, by the same factors; its scales stay."""
    if said.index != 3 or not said.is_known or said.values.size != len(said.before):
        return said.values
    grown = zip(said.values.tolist(), said.before, said.after, strict=True)
    return np.array([max(1, size * after // before) for size, before, after in grown])


def _indices(said: _Said) -> Array:
    """Indices of a Gather never lie beyond the axis."""
    if not said.after:
        return said.values
    size = said.after[said.axis(0)]
    return np.where(said.values < 0, np.maximum(said.values, -size), said.values % size)


def _count(said: _Said) -> Array:
    """A TopK never takes more than there are."""
    return np.minimum(said.values, said.after[said.axis(-1)]) if said.after else said.values


_CHANGES: Mapping[str, Callable[[_Said], Array]] = MappingProxyType(
    {
        **dict.fromkeys(("Reshape", "Expand", "ConstantOfShape"), _target),
        "Slice": _bounds,
        "Split": _parts,
        "Resize": _enlarged,
        "Gather": _indices,
        "TopK": _count,
    }
)
