"""A part of a model in other sizes: equal sizes stay equal, and what divides them may stay, too.

A ``Sizes`` maps every size of the original to a new one. Weights, scales and biases are taken at the
same places along every axis of one size, so that a filter keeps its scale. Sizes that follow from
others (of a strided image, of a Concat) are learned from ONNX's own shape inference, until nothing
changes any more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import onnx
from onnx import numpy_helper

from corpus.case import Array
from generators.arrays import noise
from generators.like.prepare import Shape, inferred
from generators.like.shape_constants import SHAPE_INPUTS, adapted

SMALL = 8  # sizes up to here are kept: kernels, coordinates, heads
_ROUNDS = 8
_REMEMBERED_PARTS, _REMEMBERED_SIZES = 512, 4096

Sizes = dict[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A small model with its constants as arrays, and the shapes of all its tensors.

    It is like no other: what is found out about one is remembered with it.
    """

    model: onnx.ModelProto
    constants: Mapping[str, Array]
    shapes: Mapping[str, Shape]
    types: Mapping[str, int]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tensors that a case gives values for."""
        return tuple(each.name for each in self.model.graph.input)


@dataclass(frozen=True, slots=True)
class Resized:
    """The same part in other sizes, without shapes of its inner tensors; ``shapes`` has them."""

    model: onnx.ModelProto
    constants: dict[str, Array]
    shapes: Mapping[str, Shape]


def part_of(model: onnx.ModelProto) -> Part:
    """Read a part."""
    constants = {
        each.name: np.asarray(numpy_helper.to_array(each)) for each in model.graph.initializer
    }
    return Part(model, constants, *inferred(model))


@lru_cache(maxsize=_REMEMBERED_PARTS)
def shape_constants(part: Part) -> frozenset[str]:
    """The constants that hold sizes, places or axes, and no data."""
    return frozenset(
        name
        for node in part.model.graph.node
        for n, name in enumerate(node.input)
        if name and n in SHAPE_INPUTS.get(node.op_type, ())
    )


@lru_cache(maxsize=_REMEMBERED_PARTS)
def basic_sizes(part: Part) -> tuple[frozenset[int], frozenset[int]]:
    """The sizes of weights and of all that comes with them, and those of images alone."""
    fixed = shape_constants(part)
    weights = {d for name, a in part.constants.items() if name not in fixed for d in a.shape}
    channels, images = set[int](), set[int]()
    for name in part.inputs:
        shape = part.shapes[name]
        first = 2 if len(shape) > 3 else len(shape)
        channels |= set(shape[:first])
        images |= set(shape[first:])
    channels |= weights
    return frozenset(channels - {1}), frozenset(images - channels - {1})


def resized(part: Part, sizes: Sizes, seed: int, *, batch: int = 1) -> Resized | None:
    """The part in new sizes, with ``batch`` times the samples; None where they do not fit together."""
    settled = _settled(part, tuple(sorted(sizes.items())), batch)
    if settled is None:
        return None
    model, constants = _built(part, settled.sizes, settled.shapes, seed, batch)
    return Resized(model, constants, settled.shapes)


@dataclass(frozen=True, slots=True)
class _Settled:
    """Sizes that fit together, and the shapes that they give."""

    sizes: Sizes
    shapes: Mapping[str, Shape]


@lru_cache(
    maxsize=_REMEMBERED_SIZES
)  # few sizes are drawn, and inference takes longest of all
def _settled(part: Part, wanted: tuple[tuple[int, int], ...], batch: int) -> _Settled | None:
    sizes, chosen = dict(wanted), {size for size, _ in wanted}
    shapes: Mapping[str, Shape] = {}
    try:
        for _ in range(_ROUNDS):
            model, _ = _built(part, sizes, shapes, 0, batch)
            before, shapes = shapes, _as_far_as_it_goes(model)
            found = _learned(part, shapes, sizes)
            learned = sizes | {size: new for size, new in found.items() if size not in chosen}
            if learned == sizes and shapes == before:
                if sizes | found == sizes:
                    inferred(model, strict=True)
                    return _Settled(sizes, shapes) if _is_whole(part, shapes) else None
                learned |= found  # what was chosen has to give way
                chosen -= found.keys()
            sizes = learned
    except (onnx.shape_inference.InferenceError, ValueError):
        return None
    return None


def _as_far_as_it_goes(model: onnx.ModelProto) -> Mapping[str, Shape]:
    """The shapes before the first node whose inputs do not fit together yet."""
    graph = model.graph
    for count in range(len(graph.node), 0, -1):
        part = onnx.ModelProto()
        part.CopyFrom(model)
        del part.graph.node[count:]
        made = {name for node in part.graph.node for name in node.output}
        del part.graph.output[:]
        part.graph.output.extend(each for each in graph.output if each.name in made)
        try:
            return inferred(part)[0]
        except onnx.shape_inference.InferenceError:
            continue
    return {}


def _is_whole(part: Part, shapes: Mapping[str, Shape]) -> bool:
    """Whether every tensor whose shape was known has one again, and is not empty."""
    names = [name for name in part.shapes if name not in part.constants]
    return all(
        name in shapes
        and (min(shapes[name], default=1) > 0)
        and _same_rank(part, shapes, name)
        for name in names
    )


def _same_rank(part: Part, shapes: Mapping[str, Shape], name: str) -> bool:
    return len(part.shapes[name]) == len(shapes[name])


@lru_cache(maxsize=_REMEMBERED_PARTS)
def kernel_sizes(part: Part) -> frozenset[int]:
    """The sizes that convolutions slide over an image: they never change."""
    convolutions = (node for node in part.model.graph.node if "Conv" in node.op_type)
    return frozenset(n for node in convolutions for n in weights_shape(part, node)[2:])


def _learned(part: Part, shapes: Mapping[str, Shape], sizes: Sizes) -> Sizes:
    """What the sizes of computed tensors became; where some are as assumed, those that are not."""
    found: Sizes = {}
    fixed = kernel_sizes(part) | {1}
    for node in part.model.graph.node:
        for name in node.output:
            old, new = part.shapes.get(name, ()), shapes.get(name, ())
            if len(old) != len(new):
                continue
            for before, after in zip(old, new, strict=True):
                if before not in fixed and found.get(before) in (None, sizes.get(before)):
                    found[before] = after
    return found


def _built(
    part: Part, sizes: Sizes, shapes: Mapping[str, Shape], seed: int, batch: int
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    model = onnx.ModelProto(ir_version=part.model.ir_version)
    model.opset_import.extend(part.model.opset_import)
    graph = model.graph
    graph.name = "like"
    graph.node.extend(part.model.graph.node)
    constants = {name: _taken(array, sizes, seed) for name, array in _data(part)}
    constants |= adapted(graph, part.constants, part.shapes, shapes, sizes)
    _set_groups(graph, part, constants, sizes)
    graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in constants.items())
    for info in part.model.graph.input:
        shape = [sizes.get(d, d) for d in part.shapes[info.name]]
        shape[:1] = [each * batch for each in shape[:1]]
        graph.input.append(
            onnx.helper.make_tensor_value_info(info.name, part.types[info.name], shape)
        )
    for info in part.model.graph.output:
        output = graph.output.add(name=info.name)
        if part.types.get(info.name):
            output.type.tensor_type.elem_type = part.types[info.name]
    return model, constants


def _data(part: Part) -> Iterator[tuple[str, Array]]:
    fixed = shape_constants(part)
    yield from ((name, a) for name, a in part.constants.items() if name not in fixed)


def _taken(array: Array, sizes: Sizes, seed: int) -> Array:
    """The array at the chosen places of every axis."""
    for axis, size in enumerate(array.shape):
        wanted = sizes.get(size, size)
        if wanted != size:
            array = np.take(array, places(size, wanted, seed), axis)
    return array


def places(size: int, wanted: int, seed: int) -> Array:
    """``wanted`` places of ``size``, in order; the same for the same numbers."""
    if wanted > size:
        return np.arange(wanted) % size
    random = np.frombuffer(noise(seed * 31 + size, 2 * size), np.uint16)
    return np.sort(np.argsort(random, kind="stable")[:wanted])


def _set_groups(
    graph: onnx.GraphProto, part: Part, constants: Mapping[str, Array], sizes: Sizes
) -> None:
    """The number of groups follows from the channels of x and of w."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "group" and attribute.i > 1:
                depth = weights_shape(part, node)[1]
                channels = attribute.i * depth
                attribute.i = sizes.get(channels, channels) // sizes.get(depth, depth)


def weights_shape(part: Part, node: onnx.NodeProto) -> Shape:
    """The shape of a convolution's weights, constant or not."""
    index = 3 if node.op_type == "QLinearConv" else 1
    return part.shapes.get(node.input[index], (1, 1))
