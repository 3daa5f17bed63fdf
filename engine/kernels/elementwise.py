"""What element-wise kernels share: types, blocks; and functions of one tensor that need no rounding."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.codes_before import CodesBefore, codes_before
from engine.kernels.number_types import BFLOAT16
from engine.kernels.operator import Kernel, Operator, Setting, operator

Function = Callable[[Array], Array]
Bounds = tuple[float, float]
Parameters = Mapping[str, float]

BLOCK = 1 << 16
"""Elements that are worked on at a time."""


def require_float32(node: Node, *arrays: Array) -> None:
    """Refuses any other type: these kernels are float32 only."""
    for each in arrays:
        if each.dtype != np.float32:
            raise Unsupported(
                f"{node.op} {node.id!r}: {each.dtype} data; only float32 is supported"
            )


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether a type is float16, bfloat16, float32 or float64."""
    return dtype.kind == "f" or dtype == BFLOAT16


def require_float(node: Node, x: Array) -> None:
    """Refuses what is no tensor of floats."""
    if not is_float(x.dtype):
        raise InvalidModel(f"{node.op} {node.id!r}: {x.dtype} data; it takes floats")


def require_number(node: Node, *arrays: Array) -> None:
    """Refuses booleans, and inputs of several types."""
    first = arrays[0].dtype
    for each in arrays:
        if each.dtype != first:
            raise InvalidModel(
                f"{node.op} {node.id!r}: inputs of types {first} and {each.dtype}; cast one"
            )
    if first.kind not in "fiu" and first != BFLOAT16:
        raise Unsupported(f"{node.op} {node.id!r}: {first} data is not supported; cast it")


def number(node: Node, name: str, default: float) -> float:
    """A float attribute as the standard stores it, in float32."""
    given = node.attributes.get(name, default)
    if not isinstance(given, float):
        raise InvalidModel(f"{node.op} {node.id!r}: {name} must be a float, got {given!r}")
    return float(np.float32(given))


def blocks(size: int, step: int = BLOCK) -> Iterator[slice]:
    """Slices of at most ``step`` elements that cover ``size``."""
    return (slice(start, start + step) for start in range(0, size, step))


def pieces(views: Sequence[Array], y: Array) -> Any:
    """Blocks of tensors that broadcast to ``y``, and of ``y``, in its order of memory, each flat."""
    if y.size <= BLOCK:
        flat = [
            (each if each.shape == y.shape else np.broadcast_to(each, y.shape)).reshape(-1)
            for each in views
        ]
        return [(*flat, y.reshape(-1))]
    modes: Any = [["readonly"]] * len(views) + [["writeonly"]]
    return np.nditer(
        [*views, y],
        flags=["external_loop", "buffered"],
        op_flags=modes,
        order="C",
        buffersize=BLOCK,
    )


def by_blocks(function: Function, x: Array, dtype: Any) -> Array:
    """``function`` of every element, in bounded memory; ``dtype`` is that of the result."""
    if x.size <= BLOCK:
        return np.asarray(function(x))
    flat, y = x.reshape(-1), np.empty(x.shape, dtype)
    out = y.reshape(-1)
    for part in blocks(x.size):
        out[part] = function(flat[part])
    return y


def exact(name: str, function: Function, floats_only: bool = False) -> Operator:
    """An operator that numpy computes exactly, or correctly rounded, in the type of its input."""

    def build(node: Node, setting: Setting) -> Function:
        def run(x: Array) -> Array:
            (require_float if floats_only else require_number)(node, x)
            return np.asarray(function(x))

        return run

    return operator(name, build)


def relu(node: Node, setting: Setting) -> Function:
    """``y = max(x, 0)``."""

    def run(x: Array) -> Array:
        require_number(node, x)
        y: Array = np.maximum(x, x.dtype.type(0))
        return y

    return run


@dataclass(frozen=True, slots=True)
class ClipParameters:
    """One Clip with constant ``bounds``, infinite where absent, None where only a run tells."""

    bounds: Bounds | None
    codes: CodesBefore


def clip(node: Node, setting: Setting) -> Kernel:
    """``y = min(max(x, low), high)``; bounds are attributes below opset 11, inputs from there."""
    opset = setting.graph.opset
    p = ClipParameters(
        clip_bounds(node, opset, setting.graph.constants), codes_before(node, setting.graph)
    )
    bound = setting.stage("clip.bound", given_bound)
    if opset < 11:
        ends = np.array(_attribute_bounds(node), np.float32)

        def by_attributes(x: Array) -> Array:
            low, high = (bound(each, p).astype(x.dtype) for each in ends)
            return _clip(node, x, low, high)

        return Kernel(by_attributes, parameters=p)
    if node.attributes:
        raise InvalidModel(
            f"Clip {node.id!r}: bounds are inputs from opset 11, not attributes"
        )

    def by_inputs(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
        low, high = (None if each is None else bound(each, p) for each in (low, high))
        return _clip(node, x, low, high)

    return Kernel(by_inputs, parameters=p)


def given_bound(bound: Array, p: ClipParameters) -> Array:
    """A bound as it is."""
    return bound


def _attribute_bounds(node: Node) -> Bounds:
    low, high = node.attributes.get("min", -np.inf), node.attributes.get("max", np.inf)
    if not isinstance(low, float) or not isinstance(high, float):
        raise InvalidModel(
            f"Clip {node.id!r}: bounds must be floats, got {low!r} and {high!r}"
        )
    return low, high


def _clip(node: Node, x: Array, low: Array | None, high: Array | None) -> Array:
    given = [each for each in (low, high) if each is not None]
    require_number(node, x, *given)
    for bound in given:
        if np.size(bound) != 1:
            raise InvalidModel(
                f"Clip {node.id!r}: a bound must be a scalar, got {np.shape(bound)}"
            )
    y = x if low is None else np.maximum(x, np.reshape(low, ()))
    return y if high is None else np.minimum(y, np.reshape(high, ()))


def clip_bounds(node: Node, opset: int, constants: Mapping[str, Array]) -> Bounds | None:
    """The constant bounds of a Clip or Relu, infinite where absent; None where computed."""
    if node.op == "Relu":
        return 0.0, np.inf
    if opset < 11:
        return _attribute_bounds(node)
    bounds = [-np.inf, np.inf]
    for i in (0, 1):
        if name := node.input(i + 1):
            constant = constants.get(name)
            if constant is None or constant.size != 1:
                return None
            bounds[i] = float(constant.reshape(()))
    return bounds[0], bounds[1]


def reciprocal(x: Array) -> Array:
    """``fl(1 / x)``."""
    y: Array = x.dtype.type(1) / x
    return y


def dropout(node: Node, setting: Setting) -> Callable[..., Any]:
    """``y = x`` and a mask of ones: nothing is dropped outside of training."""

    def run(x: Array, ratio: Array | None = None, training: Array | None = None) -> Any:
        if training is not None and np.any(training) and (ratio is None or np.any(ratio)):
            raise Unsupported(
                f"Dropout {node.id!r}: training_mode is not supported; export for inference"
            )
        if len(node.outputs) == 1:
            return x
        return x, np.ones(x.shape, np.bool_ if setting.graph.opset >= 10 else x.dtype)

    return run


def identity(node: Node, setting: Setting) -> Function:
    """``y = x``, any type."""
    return lambda x: x


OPERATORS = (
    operator("Relu", relu),
    operator("Clip", clip, "min max", inputs=(1, 3)),
    operator("Dropout", dropout, "ratio seed", inputs=(1, 3), outputs=(1, 2)),
    operator("Identity", identity),
    exact("Abs", np.abs),
    exact("Neg", np.negative),
    exact("Sign", np.sign),
    exact("Ceil", np.ceil, floats_only=True),
    exact("Floor", np.floor, floats_only=True),
    exact("Round", np.rint, floats_only=True),
    exact("Sqrt", np.sqrt, floats_only=True),
    exact("Reciprocal", reciprocal, floats_only=True),
)
