"""What fixes one mean of codes: its scales, its zero points, its windows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.operator import Kernel, Run, Setting
from engine.kernels.pooling import Pool
from engine.kernels.qlinear_conv import scale_problem
from engine.profiles.pooling import Averaging

_F = np.float32


@dataclass(frozen=True, slots=True)
class AverageParameters:
    """One mean or sum of codes. ``pool`` is None where whole axes are reduced.

    ``y_dtype`` is None where the result is real; ``with_pads`` is count_include_pad; a sum is one
    that does not ``divide``.
    """

    node: str
    x: Averaging
    y_dtype: np.dtype[Any] | None
    pool: Pool | None
    with_pads: bool
    channels_last: bool
    divides: bool = True


def built(
    node: Node,
    setting: Setting,
    prepare: Callable[[AverageParameters], Run],
    pool: Pool | None = None,
    with_pads: bool = False,
    divides: bool = True,
) -> Kernel:
    """The kernel of a node on codes: prepared once where its parameters are constants.

    Without zero point of x their type shows only when it runs.
    """
    if not (_is_real(node) or node.input(3)):
        raise InvalidModel(f"{node.op} {node.id!r} has no y_scale; it is required")
    arrays = [setting.constant(name) for name in node.inputs[1:]]
    named = [name for name in node.inputs[1:] if name]
    last = bool(node.attributes.get("channels_last", 0))

    def read(x_dtype: Any, given: Sequence[Array | None]) -> AverageParameters:
        p = read_parameters(node, given, x_dtype, pool, with_pads, last)
        return p if divides else replace(p, divides=False)

    x_zero = arrays[1] if len(arrays) > 1 else None
    if x_zero is not None and sum(each is not None for each in arrays) == len(named):
        p = read(x_zero.dtype, arrays)
        run = prepare(p)
        return Kernel(lambda x, *_: _called(run, x, p), parameters=p)

    def each_time(x: Array, *given: Array | None) -> Array:
        p = read(x.dtype, given)
        return _called(prepare(p), x, p)

    return Kernel(each_time)


def _is_real(node: Node) -> bool:
    return node.op.endswith("OfCodes")


def _called(run: Run, x: Array, p: AverageParameters) -> Array:
    if x.dtype != p.x.x_dtype:
        raise InvalidModel(
            f"{p.node}: input codes are {x.dtype}, its zero point is {p.x.x_dtype}"
        )
    if not p.channels_last:
        return run(x)  # type: ignore[no-any-return]
    return np.ascontiguousarray(np.moveaxis(run(np.moveaxis(x, -1, 1)), 1, -1))


def read_parameters(
    node: Node,
    arrays: Sequence[Array | None],
    x_dtype: Any,
    pool: Pool | None,
    with_pads: bool,
    channels_last: bool,
) -> AverageParameters:
    """The record of one node; ``arrays`` are its inputs without x.

    A zero point that is left out is 0 in the type of x.

    Raises:
        InvalidModel: a scale that is not positive and finite, or more than one of them.
        Unsupported: codes wider than 8 bits.
    """
    given = [*arrays, *[None] * (4 - len(arrays))]
    x_scale, x_zero = _affine(node, "x", given[0], given[1], x_dtype)
    if _is_real(node):
        x = Averaging(x_scale, int(x_zero), x_zero.dtype, _F(1), 0)
        return AverageParameters(node.id, x, None, pool, with_pads, channels_last)
    y_scale, y_zero = _affine(node, "y", given[2], given[3], x_dtype)
    x = Averaging(x_scale, int(x_zero), x_zero.dtype, y_scale, int(y_zero))
    return AverageParameters(node.id, x, y_zero.dtype, pool, with_pads, channels_last)


def _affine(
    node: Node, name: str, scale: Array | None, zero: Array | None, dtype: Any
) -> tuple[np.float32, Any]:
    if scale is None:
        raise InvalidModel(f"{node.op} {node.id!r} has no {name}_scale; it is required")
    zero = np.zeros(1, dtype) if zero is None else zero
    if scale.dtype != _F or scale.size != 1 or zero.size != 1:
        raise InvalidModel(
            f"{node.op} {node.id!r}: {name}_scale is {scale.dtype}{scale.shape}, {name}_zero_point "
            f"{zero.shape}; they must hold one element, the scale a float32"
        )
    if zero.dtype not in RANGES:
        raise Unsupported(
            f"{node.op} {node.id!r}: {name}_zero_point is {zero.dtype}; only int8 and uint8 codes are "
            f"supported"
        )
    if problem := scale_problem(scale):
        raise InvalidModel(f"{node.op} {node.id!r}: {name}_scale {problem}")
    return scale.reshape(-1)[0], zero.reshape(-1)[0]
