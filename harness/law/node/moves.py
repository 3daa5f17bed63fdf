"""Moves on the tensors of an operator: types, zero points, scales, their granularity."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from random import Random

from generators.operators.node import NodeSpec, Operand
from generators.operators.node.axes import per_tensor, refitted
from generators.operators.node.words import MATRICES
from harness.law.node.data import BIAS, CODE_RANGES

Move = Callable[[NodeSpec, Random], NodeSpec | None]
Place = int  # of an operand; from -1 downwards, of a result
Change = Callable[[Operand, Random], Operand | None]

BLOCKS = (2, 3, 4, 8, 16)
PLACES = ("zero", "low", "high", "any", "any")
RESULT_PLACES = (
    "zero",
    "low",
    "middle",
    "middle",
    "middle",
)  # others leave no room for results
EIGHT_BITS = ("uint8", "int8")
FOUR_BITS = ("int4", "uint4")
FLOATS = ("float8_e4m3fn", "float8_e5m2")
NARROW_AND_WIDE = (*EIGHT_BITS, *FOUR_BITS, "int16", "uint16", *FLOATS)


def tensor_at(spec: NodeSpec, place: Place) -> Operand:
    """An operand, or a result."""
    return spec.operands[place] if place >= 0 else spec.results[-1 - place]


def with_tensor(spec: NodeSpec, place: Place, tensor: Operand) -> NodeSpec:
    """The spec with another tensor in that place; an int32 bias keeps its relation to the product."""
    if place < 0:
        results = list(spec.results)
        results[-1 - place] = tensor
        return replace(spec, results=tuple(results))
    operands = list(spec.operands)
    operands[place] = tensor
    changed = replace(spec, operands=tuple(operands))
    return _with_bias_scales(spec, changed) if place < BIAS else changed


def _with_bias_scales(before: NodeSpec, after: NodeSpec) -> NodeSpec:
    if after.op not in MATRICES or len(after.operands) <= BIAS:
        return after
    c = after.operands[BIAS]
    if not c.is_quantized:
        return after
    old = _product_scales(before)
    scales = tuple(c.scales[0] / old[0] * each for each in _product_scales(after))
    if len(scales) != c.shape[-1]:
        return with_tensor(after, BIAS, replace(per_tensor(c), scales=scales[:1]))
    zeros = (0,) * len(scales)
    c = replace(c, scales=scales, zero_points=zeros, axis=len(c.shape) - 1)
    return with_tensor(after, BIAS, per_tensor(c) if len(scales) == 1 else c)


def _product_scales(spec: NodeSpec) -> tuple[float, ...]:
    first = (spec.operands[0].scales or (1.0,))[0]
    return tuple(first * each for each in spec.operands[1].scales or (1.0,))


def changing(place: Place, change: Change) -> Move:
    """A move that changes one tensor."""

    def move(spec: NodeSpec, rng: Random) -> NodeSpec | None:
        tensor = change(tensor_at(spec, place), rng)
        return None if tensor is None else with_tensor(spec, place, tensor)

    return move


def zero_points(place: Place) -> tuple[Move, ...]:
    """All its zero points at one of a few places, or (if there are several) anywhere each."""
    places = RESULT_PLACES if place < 0 else PLACES
    moves = [changing(place, partial(_zero_point, where)) for where in places]
    return (*moves, changing(place, _each_zero_point))


def _zero_point(where: str, tensor: Operand, rng: Random) -> Operand | None:
    if not tensor.is_quantized or tensor.dtype not in CODE_RANGES:
        return None
    low, high = CODE_RANGES[tensor.dtype]
    quarter = (high - low) // 4 if where == "middle" else 1
    any_zero = rng.randint(low + quarter, high - quarter)
    zero = {"zero": 0, "low": low, "high": high}.get(where, any_zero)
    return replace(tensor, zero_points=(zero,) * len(tensor.zero_points))


def _each_zero_point(tensor: Operand, rng: Random) -> Operand | None:
    if len(tensor.scales) < 2 or tensor.dtype not in CODE_RANGES:
        return None
    low, high = CODE_RANGES[tensor.dtype]
    return replace(
        tensor, zero_points=tuple(rng.randint(low, high) for _ in tensor.zero_points)
    )


def types(place: Place, tensor: Operand) -> tuple[Move, ...]:
    """Other types of codes; four bits where there are four bits or blocks."""
    wide = tensor.block_size or tensor.dtype in FOUR_BITS
    names: tuple[str, ...] = (*EIGHT_BITS, *FOUR_BITS) if wide else EIGHT_BITS
    if tensor.dtype in FLOATS:
        names = (tensor.dtype, *EIGHT_BITS)
    return tuple(changing(place, partial(_typed, name)) for name in names)


def _typed(dtype: str, tensor: Operand, _rng: Random) -> Operand | None:
    if tensor.dtype not in (*CODE_RANGES, *FLOATS):
        return None
    return replace(tensor, dtype=dtype)


def all_typed(dtype: str, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    """All tensors of codes in one type: engines have few kernels for mixed ones."""

    def typed(tensor: Operand) -> Operand:
        return replace(tensor, dtype=dtype) if tensor.dtype in NARROW_AND_WIDE else tensor

    return replace(
        spec,
        operands=tuple(map(typed, spec.operands)),
        results=tuple(map(typed, spec.results)),
    )


def clamped(tensor: Operand) -> Operand:
    """The tensor with zero points inside its type."""
    if not tensor.is_quantized or tensor.dtype not in CODE_RANGES:
        return tensor
    low, high = CODE_RANGES[tensor.dtype]
    zeros = tuple([min(max(zero, low), high) for zero in tensor.zero_points])
    return tensor if zeros == tensor.zero_points else replace(tensor, zero_points=zeros)


def scales(place: Place, others: Sequence[Place]) -> tuple[Move, ...]:
    """A power of two, any factor, or the scale of another tensor."""
    factors = (0.25, 0.5, 2.0, 0.7109375, 1.3203125)
    own = tuple(changing(place, partial(_scaled, factor)) for factor in factors)
    return (*own, *(partial(_like, place, other, ("scales",)) for other in others))


def _scaled(factor: float, tensor: Operand, _rng: Random) -> Operand | None:
    if not tensor.is_quantized:
        return None
    return replace(tensor, scales=tuple(each * factor for each in tensor.scales))


def positive(tensor: Operand, _rng: Random) -> Operand | None:
    """Without a negative scale."""
    return replace(tensor, scales=tuple(map(abs, tensor.scales)))


ALL = ("dtype", "scales", "zero_points")


def alike(place: Place, other: Place) -> tuple[Move, ...]:
    """One parameter of another tensor, or all of them."""
    return tuple(partial(_like, place, other, names) for names in (ALL, ALL, ("zero_points",)))


def _like(
    place: Place, other: Place, names: tuple[str, ...], spec: NodeSpec, _rng: Random
) -> NodeSpec | None:
    try:
        mine, model = tensor_at(spec, place), tensor_at(spec, other)
    except IndexError:
        return None
    if not (mine.is_quantized and model.is_quantized) or (mine.axis, model.axis) != (
        None,
        None,
    ):
        return None
    return with_tensor(
        spec, place, replace(mine, **{name: getattr(model, name) for name in names})
    )


def granularities(place: Place, axes: Sequence[int], blocked: bool) -> tuple[Move, ...]:
    """One scale, scales along one of the axes, or (where there are blocks) other blocks."""
    moves = [changing(place, _whole)]
    moves += [changing(place, partial(_along, axis)) for axis in axes]
    if blocked:
        moves += [changing(place, partial(_in_blocks, size)) for size in BLOCKS]
        moves += [changing(place, partial(_in_blocks_along, axis)) for axis in axes]
    return tuple(moves)


def _whole(tensor: Operand, _rng: Random) -> Operand | None:
    return per_tensor(tensor) if tensor.is_quantized else None


def _along(axis: int, tensor: Operand, rng: Random) -> Operand | None:
    if not tensor.is_quantized or not -len(tensor.shape) <= axis < len(tensor.shape):
        return None
    return _varied(replace(tensor, axis=axis, block_size=0), rng)


def _in_blocks(size: int, tensor: Operand, rng: Random) -> Operand | None:
    if tensor.axis is None:
        return None
    return _varied(replace(tensor, block_size=size), rng)


def _in_blocks_along(axis: int, tensor: Operand, rng: Random) -> Operand | None:
    if (
        tensor.axis is None
        or not tensor.block_size
        or not -len(tensor.shape) <= axis < len(tensor.shape)
    ):
        return None
    return _varied(replace(tensor, axis=axis), rng)


def _varied(tensor: Operand, rng: Random) -> Operand:
    """As many scales as it asks for, all different; zero points as they were."""
    first = max(map(abs, tensor.scales))
    fitted = refitted(replace(tensor, scales=(first,)))
    drawn = tuple(first * rng.uniform(0.5, 1.0) for _ in fitted.scales)
    return replace(fitted, scales=drawn)


def constants(place: Place) -> tuple[Move, ...]:
    """An initializer, or a graph input."""
    return tuple(changing(place, partial(_constant, flag)) for flag in (True, False))


def _constant(flag: bool, tensor: Operand, _rng: Random) -> Operand | None:
    return replace(tensor, constant=flag) if tensor.is_quantized else None
