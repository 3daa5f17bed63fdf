"""Sizes for a part: what is large becomes small and leaves the same rests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

import onnx

from generators.choices import Choices, RandomChoices
from generators.like.prepare import Shape
from generators.like.sizes import (
    SMALL,
    Part,
    Resized,
    Sizes,
    basic_sizes,
    kernel_sizes,
    weights_shape,
)

LARGEST = 96  # channels of weights that are kept to sample from
MOST_PRODUCTS = 3_000_000  # of one operator, so that the slowest engine takes milliseconds
MOST_ELEMENTS = 40_000  # of one tensor


@dataclass(frozen=True, slots=True)
class _Aim:
    """What a size of channels, a size of images and a number of groups may become."""

    channels: Callable[[int], tuple[int, ...]]
    images: Callable[[int], tuple[int, ...]]
    groups: tuple[int, ...]


def drawn_sizes(part: Part, choices: Choices, *, smallest: bool = False) -> Sizes:
    """New sizes for what is large, the same modulo 8, and often 16 and 32."""
    return _sizes(part, _SMALLEST if smallest else _SMALL, choices)


def kept_sizes(part: Part) -> Sizes:
    """Sizes with enough weights left to draw from: at most 96, the same modulo 32."""
    return _sizes(part, _KEPT, RandomChoices(0))


def _sizes(part: Part, aim: _Aim, choices: Choices) -> Sizes:
    channels, images = basic_sizes(part)
    fixed = kernel_sizes(part)
    sizes: Sizes = {}
    for node in part.model.graph.node:
        _group_sizes(part, node, sizes, aim, choices)
        _block_sizes(part, node, sizes)
    for sought, options in ((channels, aim.channels), (images, aim.images)):
        for size in sorted(sought - fixed):
            if size > SMALL and size not in sizes:
                sizes[size] = choices.pick(options(size))
    return sizes


def alike(size: int) -> tuple[int, ...]:
    """Sizes of at most ``size`` that leave the same rest: divided by 8, by 16, by 32."""
    options = [size % 8 + 8 * (size % 8 < 2), size % 16 or 16, size % 32 or 32, size % 32 + 32]
    return tuple(each for each in options if 1 < each <= size) or (size,)


def _image(size: int) -> tuple[int, ...]:
    return size % 4 + 4, size % 2 + 6, size % 8 + 8, size % 4 + 12


def _kept(size: int) -> tuple[int, ...]:
    return (size,) if size <= LARGEST else (LARGEST - 32 + size % 32,)


_SMALL = _Aim(alike, _image, (2, 3, 4))
_SMALLEST = _Aim(lambda size: (min(alike(size)),), lambda size: (size % 4 + 4,), (2,))
_KEPT = _Aim(_kept, lambda size: (size,), (4,))


def _group_sizes(
    part: Part, node: onnx.NodeProto, sizes: Sizes, aim: _Aim, choices: Choices
) -> None:
    """Channels and filters of a grouped convolution stay multiples of the groups."""
    groups = next((each.i for each in node.attribute if each.name == "group"), 1)
    if groups == 1 or "Conv" not in node.op_type:
        return
    filters, depth = weights_shape(part, node)[:2]
    channels, each = groups * depth, filters // groups
    if depth == 1:
        if channels > SMALL:
            sizes.setdefault(channels, choices.pick(aim.channels(channels)))
        count = sizes.get(channels, channels)
    else:
        count = min(groups, choices.pick(aim.groups))
        sizes.setdefault(depth, choices.pick(aim.channels(depth)) if depth > SMALL else depth)
        sizes.setdefault(channels, count * sizes[depth])
    few = sizes.get(each) or (choices.pick(aim.channels(each)) if each > SMALL else each)
    sizes.setdefault(filters, count * few)


def _block_sizes(part: Part, node: onnx.NodeProto, sizes: Sizes) -> None:
    """Of blocks, two whole ones stay, and the rest of a partial one."""
    block = next((each.i for each in node.attribute if each.name == "block_size"), 0)
    data = part.constants.get(node.input[0]) if block else None
    if data is None:
        return
    axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
    size = data.shape[axis]
    whole, rest = min(2, size // block), size % block
    sizes.setdefault(size, whole * block + rest)
    sizes.setdefault(-(-size // block), whole + (rest > 0))


def is_cheap(model: Resized) -> bool:
    """Whether a slow engine, too, runs it in no time."""
    return max(map(prod, model.shapes.values()), default=0) <= MOST_ELEMENTS and all(
        _products(node, model.shapes) <= MOST_PRODUCTS for node in model.model.graph.node
    )


def _products(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int:
    made = prod(shapes.get(node.output[0], ()))
    if "Conv" in node.op_type:
        index = 3 if node.op_type.startswith("QLinear") else 1
        return made * prod(shapes.get(node.input[index], ())[1:])
    if "MatMul" in node.op_type or node.op_type == "Gemm":
        return made * (shapes.get(node.input[0]) or (1,))[-1]
    return made


def fits(model: Resized) -> bool:
    """What shape inference does not ask: channels of convolutions, parameters along their axis."""
    return all(_fits(node, model.shapes) for node in model.model.graph.node)


def _fits(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> bool:
    x = shapes.get(node.input[0], ()) if node.input else ()
    said = {each.name: each.i for each in node.attribute}
    if node.op_type in ("Conv", "QLinearConv", "ConvInteger"):
        index = 3 if node.op_type == "QLinearConv" else 1
        w, groups = shapes.get(node.input[index], (0, 0)), said.get("group", 1)
        own = [shapes.get(name, ()) for name in node.input[index + 1 :] if name]
        lengths = [shape for shape in own if shape and shape != (1,)] if index == 1 else []
        is_whole = len(x) > 2 and x[1] == w[1] * groups and groups > 0 and w[0] % groups == 0
        return is_whole and all(shape == (w[0],) for shape in lengths)
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return _has_parameters(x, shapes.get(node.input[1], ()), said)
    return True


def _has_parameters(x: Shape, scale: Shape, said: Mapping[str, int]) -> bool:
    """Whether a Q or DQ has a scale for the whole tensor, for each place along its axis, or by block."""
    axis, block = said.get("axis", 1), said.get("block_size", 0)
    if block:
        blocks = -(-x[axis] // block)
        return scale == (*x[:axis], blocks, *x[axis:][1:])
    return prod(scale) == 1 or (len(x) > axis >= -len(x) and scale == (x[axis],))
