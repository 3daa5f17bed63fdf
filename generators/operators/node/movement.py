"""Operators that only move values: the same scale on both sides, or another one by a coincidence."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from types import MappingProxyType

import numpy as np

from generators.choices import Choices
from generators.operators.node.drawing import Draw, plain, reach
from generators.operators.node.spec import Attribute, NodeSpec, Operand, Tail

Moved = tuple[list[Operand], tuple[int, ...], list[tuple[str, Attribute]]]
"""Further operands, the output's shape, attributes."""

PARAMETERS = (
    *("equal", "scale differs", "zero point differs"),
    *("scale differs in the last bit", "type differs"),
)
RESIZES = ("nearest", "linear")
ROI_OPTIONAL_OPSET = 13
MODE_OPSET = 11  # of DepthToSpace


def _transpose(draw: Draw, x: Operand) -> Moved:
    axes = list(range(len(x.shape)))
    perm = tuple(sorted(axes, key=lambda _: draw.choices.integer(0, 99)))
    if draw.choices.flag(4):
        return [], x.shape[::-1], []
    return [], tuple(x.shape[i] for i in perm), [("perm", perm)]


def _reshape(draw: Draw, x: Operand) -> Moved:
    wanted = draw.choices.pick(((0, -1), (-1,), (1, -1, 1)))
    shape = {
        (0, -1): (x.shape[0], prod(x.shape[1:])),
        (-1,): (prod(x.shape),),
        (1, -1, 1): (1, prod(x.shape), 1),
    }[wanted]
    return [plain("s", wanted)], shape, []


def _flatten(draw: Draw, x: Operand) -> Moved:
    axis = draw.choices.pick((1, 0, len(x.shape), -1))
    at = axis % len(x.shape) if axis < 0 else axis
    return [], (prod(x.shape[:at]), prod(x.shape[at:])), [("axis", axis)]


def _squeeze(draw: Draw, x: Operand) -> Moved:
    axes = tuple(i for i, n in enumerate(x.shape) if n == 1)
    return [plain("s", axes)], tuple(n for n in x.shape if n != 1), []


def _unsqueeze(draw: Draw, x: Operand) -> Moved:
    axis = draw.choices.pick((0, 1, -1))
    shape = list(x.shape)
    shape.insert(axis if axis >= 0 else len(shape), 1)
    return [plain("s", (axis,))], tuple(shape), []


def _slice(draw: Draw, x: Operand) -> Moved:
    axis = draw.choices.pick((1, 0, len(x.shape) - 1, -1))
    length = x.shape[axis]
    start = draw.choices.integer(0, length - 1)
    step = draw.choices.pick((1, 2, -1))
    end = length if step > 0 else -length - 1
    count = len(range(length)[start:end:step]) if step > 0 else start + 1
    operands = [plain(n, (v,)) for n, v in zip("befg", (start, end, axis, step), strict=True)]
    return operands, _with_axis(x.shape, axis, count), []


def _with_axis(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    at = axis % len(shape)
    return (*shape[:at], size, *shape[at + 1 :])


def _expand(draw: Draw, x: Operand) -> Moved:
    shape = (draw.choices.pick((1, 2, 3)), *x.shape)
    return [plain("s", shape)], shape, []


def _tile(draw: Draw, x: Operand) -> Moved:
    repeats = tuple(draw.choices.pick((1, 2, 3)) for _ in x.shape)
    shape = tuple(n * r for n, r in zip(x.shape, repeats, strict=True))
    return [plain("s", repeats)], shape, []


def _gather(draw: Draw, x: Operand) -> Moved:
    axis = draw.choices.pick((1, 0, -1))
    length = x.shape[axis]
    indices = [draw.choices.integer(-length, length - 1) for _ in range(draw.size(4))]
    return [plain("s", indices)], _with_axis(x.shape, axis, len(indices)), [("axis", axis)]


def _depth_to_space(draw: Draw, x: Operand) -> Moved:
    n, c, h, w = x.shape
    attributes: list[tuple[str, Attribute]] = [("blocksize", 2)]
    if draw.opset >= MODE_OPSET:
        attributes.append(("mode", draw.choices.pick(("DCR", "CRD"))))
    return [], (n, c // 4, h * 2, w * 2), attributes


def _space_to_depth(draw: Draw, x: Operand) -> Moved:
    n, c, h, w = x.shape
    return [], (n, c * 4, h // 2, w // 2), [("blocksize", 2)]


def _pad(draw: Draw, x: Operand) -> Moved:
    rank = len(x.shape)
    pads = [draw.choices.pick((0, 1, 2)) for _ in range(2 * rank)]
    shape = tuple(n + pads[i] + pads[i + rank] for i, n in enumerate(x.shape))
    return [plain("s", pads), *_border(draw, x)], shape, []


def _border(draw: Draw, x: Operand) -> list[Operand]:
    """The value of a border, or nothing."""
    steps = draw.choices.pick((None, 0.0, 1.0, -3.0, 60.0, -60.0))
    if steps is None:
        return []
    value = np.array(steps * x.scales[0], np.float32)
    return [Operand("v", (), "float32", constant=True, array=value)]


def _pad_before_pool(draw: Draw, x: Operand) -> tuple[NodeSpec, frozenset[str]]:
    """A border around an image, and an average over it."""
    top, left, bottom, right = (draw.choices.pick((1, 0, 2)) for _ in range(4))
    n, c, h, w = x.shape
    pads = plain("s", (0, 0, top, left, 0, 0, bottom, right))
    kernel = (min(2, h + top + bottom), min(2, w + left + right))
    shape = (n, c, h + top + bottom - kernel[0] + 1, w + left + right - kernel[1] + 1)
    y = draw.result(shape, reach(x), x.scales[0])
    tail = Tail("AveragePool", (("kernel_shape", kernel),))
    found = draw.spec("Pad", [x, pads, *_border(draw, x)], (y,), tails=(tail,))
    return found, frozenset({"movement Pad", "movement Pad before AveragePool"})


def _resize(draw: Draw, x: Operand) -> Moved:
    mode = draw.choices.pick(RESIZES)
    factors = (1, 1, draw.choices.pick((2, 3)), draw.choices.pick((2, 1)))
    sizes = tuple(n * f for n, f in zip(x.shape, factors, strict=True))
    attributes: list[tuple[str, Attribute]] = [("mode", mode)]
    if mode == "nearest":
        attributes.append(("coordinate_transformation_mode", "asymmetric"))
        attributes.append(("nearest_mode", "floor"))
    roi = plain("" if draw.opset >= ROI_OPTIONAL_OPSET else "r", (), "float32")
    return [roi, plain("s", factors, "float32")], sizes, attributes


MOVES: Mapping[str, tuple[int, Callable[[Draw, Operand], Moved]]] = MappingProxyType(
    {
        "Transpose": (0, _transpose),
        "Reshape": (0, _reshape),
        "Flatten": (0, _flatten),
        "Squeeze": (0, _squeeze),
        "Unsqueeze": (0, _unsqueeze),
        "Slice": (0, _slice),
        "Expand": (0, _expand),
        "Tile": (0, _tile),
        "Gather": (0, _gather),
        "DepthToSpace": (4, _depth_to_space),
        "SpaceToDepth": (4, _space_to_depth),
        "Pad": (0, _pad),
        "Resize": (4, _resize),
    }
)
"""Operators of one data operand; the number is the rank that they need, 0 for any."""

ALL_CELLS = (
    *(f"movement {op}" for op in (*MOVES, "Split", "Concat", "QLinearConcat")),
    *(f"movement parameters {each}" for each in PARAMETERS),
    "movement Pad before AveragePool",
)


def spec(choices: Choices, scales: str) -> tuple[NodeSpec, frozenset[str]]:
    """One operator that moves values and the cells it belongs to."""
    draw = Draw.of(choices, scales)
    op = choices.spread((*MOVES, "Resize", "Split", "Concat", "Concat", "Pad"))
    if op == "Split":
        return _split(draw)
    if op == "Concat":
        return _concat(draw)
    rank, move = MOVES[op]
    shape = draw.shape(rank or choices.pick((3, 4, 2)), 5)
    if rank:
        shape = (shape[0], shape[1] * 4, shape[2] * 2, shape[3] * 2)
    if op == "Squeeze" and 1 not in shape:
        shape = (*shape[:1], 1, *shape[2:])
    x = draw.codes("x", shape)
    if op == "Pad" and len(shape) == 4 and draw.choices.flag():
        return _pad_before_pool(draw, x)
    operands, moved, attributes = move(draw, x)
    kinds = (*PARAMETERS, "equal", "equal") if op == "Pad" else PARAMETERS
    y, parameters = _similar(draw, x, moved, "y", kinds)
    found = draw.spec(op, [x, *operands], (y,), attributes)
    return found, frozenset({f"movement {op}", f"movement parameters {parameters}"})


def _similar(
    draw: Draw,
    x: Operand,
    shape: tuple[int, ...],
    name: str,
    kinds: tuple[str, ...] = PARAMETERS,
) -> tuple[Operand, str]:
    """An output with the operand's parameters, or with one of them changed."""
    y = Operand(name, shape, x.dtype, x.scales, x.zero_points)
    kind = draw.choices.spread(("equal", *kinds))
    if kind == "scale differs":
        y = replace(draw.result(shape, reach(x), x.scales[0]), name=name)
    elif kind == "zero point differs":
        y = replace(y, zero_points=(x.zero_points[0] + (1 if x.zero_points[0] < 100 else -1),))
    elif kind == "scale differs in the last bit":
        near = np.nextafter(np.float32(x.scales[0]), np.float32(np.inf))
        y = replace(y, scales=(float(near),))
    elif kind == "type differs":
        dtype = "int8" if x.dtype == "uint8" else "uint8"
        y = replace(y, dtype=dtype, zero_points=(min(max(x.zero_points[0], 0), 127),))
    return y, kind


def _split(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    parts = draw.choices.pick((2, 3))
    sizes = [draw.size(4) for _ in range(parts)]
    x = draw.codes("x", (draw.size(3), sum(sizes), draw.size(5)))
    results = []
    kinds = set()
    changed = draw.choices.pick((PARAMETERS[:-1], PARAMETERS))
    for i, size in enumerate(sizes):
        y, kind = _similar(draw, x, _with_axis(x.shape, 1, size), f"y{i}", changed)
        results.append(y)
        kinds.add(f"movement parameters {kind}")
    found = draw.spec("Split", (x, plain("s", sizes)), results, (("axis", 1),))
    return found, frozenset({"movement Split", *kinds})


def _concat(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    shape = draw.shape(draw.choices.pick((4, 3)), 5)
    axis = draw.choices.pick((1, 0, -1))
    first = draw.codes("a", _with_axis(shape, axis, draw.size(9)))
    like = first if draw.choices.flag() else None
    alike = draw.choices.flag()
    parts = [first] + [
        draw.codes(
            letter,
            first.shape if alike else _with_axis(shape, axis, draw.size(9)),
            like=like,
        )
        for letter in "bc"[: draw.choices.pick((1, 2))]
    ]
    total = sum(each.shape[axis] for each in parts)
    y, kind = _similar(draw, first, _with_axis(shape, axis, total), "y")
    on_codes = draw.choices.flag(3) and y.dtype == first.dtype
    form = "QLinearConcat" if on_codes else "QDQ"
    found = draw.spec("Concat", parts, (y,), (("axis", axis),), form=form)
    name = "Concat" if form == "QDQ" else form
    return found, frozenset({f"movement {name}", f"movement parameters {kind}"})
