"""Slice, Split, DepthToSpace, SpaceToDepth: parts of a tensor, and a tensor cut anew; any type."""

from collections.abc import Callable

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Node
from engine.kernels.operator import MANY, Setting, operator
from engine.kernels.shape import axes_of


def slice_operator(node: Node, setting: Setting) -> Callable[..., Array]:
    """``x[start:end:step]`` on the named axes; what lies outside is left out.

    Source:
        ONNX Slice-1 (attributes), -10 (inputs), -13.
    """
    attributes = [node.attributes.get(name) for name in ("starts", "ends", "axes")]

    def run(
        x: Array,
        starts: Array | None = None,
        ends: Array | None = None,
        axes: Array | None = None,
        steps: Array | None = None,
    ) -> Array:
        if starts is None:
            starts, ends, axes = (None if a is None else np.array(a) for a in attributes)
        if starts is None or ends is None:
            raise InvalidModel(f"Slice {node.id!r} has no starts or no ends")
        places = axes_of(node, range(starts.size) if axes is None else axes, x.ndim)
        strides = np.ones(starts.size, np.int64) if steps is None else steps
        if len({starts.size, ends.size, len(places), strides.size}) != 1 or not strides.all():
            raise EngineError(f"Slice {node.id!r}: starts, ends, axes and steps do not fit")
        whole = [slice(None)] * x.ndim
        for axis, start, end, step in zip(
            places, starts.tolist(), ends.tolist(), strides.tolist(), strict=True
        ):
            whole[axis] = _slice(start, end, step, x.shape[axis])
        return np.ascontiguousarray(x[tuple(whole)])

    return run


def _slice(start: int, end: int, step: int, length: int) -> slice:
    """ONNX's clamping: for negative steps the end may lie before the first element."""
    start += length if start < 0 else 0
    end += length if end < 0 else 0
    if step > 0:
        return slice(min(max(start, 0), length), min(max(end, 0), length), step)
    start, end = min(max(start, 0), length - 1), min(max(end, -1), length - 1)
    return slice(start, None if end < 0 else end, step)


def split(node: Node, setting: Setting) -> Callable[..., tuple[Array, ...]]:
    """Parts along ``axis``: of the given sizes, or as many equal ones as there are outputs.

    Source:
        ONNX Split-2, -11 (attribute), -13 (input), -18 (num_outputs; the last part may be smaller).
    """
    axis, fixed = node.attributes.get("axis", 0), node.attributes.get("split")
    count = node.attributes.get("num_outputs", len(node.outputs))
    if not isinstance(axis, int) or not isinstance(count, int) or count < 1:
        raise InvalidModel(f"Split {node.id!r}: axis {axis!r}, num_outputs {count!r}")

    def run(x: Array, sizes: Array | None = None) -> tuple[Array, ...]:
        (place,) = axes_of(node, [axis], x.ndim)
        length = x.shape[place]
        given = fixed if sizes is None else sizes.tolist()
        if given is None:
            each = -(-length // count)
            given = [min(each, max(length - i * each, 0)) for i in range(count)]
        lengths = [int(n) for n in given]  # type: ignore[union-attr]
        if sum(lengths) != length or len(lengths) != len(node.outputs) or min(lengths) < 0:
            raise EngineError(
                f"Split {node.id!r}: parts {lengths} of axis {axis} of {x.shape} for "
                f"{len(node.outputs)} outputs"
            )
        parts = np.split(x, np.cumsum(lengths)[:-1], place)
        return tuple(np.ascontiguousarray(part) for part in parts)

    return run


def depth_to_space(node: Node, setting: Setting) -> Callable[..., Array]:
    """Channels to blocks of pixels, the block before the channel (DCR) or behind it (CRD).

    Source:
        ONNX DepthToSpace-1, -11, -13.
    """
    b, mode = _block(node), node.attributes.get("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise InvalidModel(f"DepthToSpace {node.id!r}: mode is {mode!r}, not DCR or CRD")

    def run(x: Array) -> Array:
        n, c, h, w = _image(node, x)
        if c % (b * b):
            raise EngineError(
                f"DepthToSpace {node.id!r}: {c} channels, not a multiple of {b * b}"
            )
        c //= b * b
        if mode == "DCR":
            y = x.reshape(n, b, b, c, h, w).transpose(0, 3, 4, 1, 5, 2)
        else:
            y = x.reshape(n, c, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
        return np.ascontiguousarray(y).reshape(n, c, h * b, w * b)

    return run


def space_to_depth(node: Node, setting: Setting) -> Callable[..., Array]:
    """Blocks of pixels to channels.

    Source:
        ONNX SpaceToDepth-1, -13.
    """
    b, mode = _block(node), node.attributes.get("mode", "DCR")

    def run(x: Array) -> Array:
        n, c, h, w = _image(node, x)
        if h % b or w % b:
            raise EngineError(
                f"SpaceToDepth {node.id!r}: an image of {h} x {w} in blocks of {b}"
            )
        blocks = x.reshape(n, c, h // b, b, w // b, b)
        y = blocks.transpose((0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4))
        return np.ascontiguousarray(y).reshape(n, c * b * b, h // b, w // b)

    return run


def _block(node: Node) -> int:
    size = node.attributes.get("blocksize")
    if not isinstance(size, int) or size < 1:
        raise InvalidModel(
            f"{node.op} {node.id!r}: blocksize is {size!r}; it must be positive"
        )
    return size


def _image(node: Node, x: Array) -> tuple[int, ...]:
    if x.ndim != 4:
        raise EngineError(
            f"{node.op} {node.id!r}: input of rank {x.ndim}; it takes (N, C, H, W)"
        )
    return x.shape


OPERATORS = (
    operator("Slice", slice_operator, "axes ends starts", inputs=(1, 5)),
    operator(
        "Split", split, "axis num_outputs split", inputs=(1, 2), outputs=(1, MANY), since=2
    ),
    operator("DepthToSpace", depth_to_space, "blocksize mode"),
    operator("SpaceToDepth", space_to_depth, "blocksize mode"),
)
