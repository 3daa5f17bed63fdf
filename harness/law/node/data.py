"""Data for one operator: what fills its operands, and a scale of the output that fits."""

from collections.abc import Iterator
from dataclasses import replace
from math import exp, isfinite, log2, prod
from random import Random

import numpy as np

from corpus.case import Array
from generators import arrays
from generators.operators.node import NodeSpec, Operand, Tail
from generators.operators.node.axes import attribute, sizes
from generators.operators.node.elementwise import BOUNDED
from generators.operators.node.words import MATRICES, OWN_SCALE

TARGET_STEPS = 90.0  # how far a typical output reaches from its zero point
SMALLEST_SCALE, LARGEST_SCALE = 2.0**-126, 2.0**100  # normal numbers of float32, with room
LOUD = 64
STEPS = 3  # scales of neighbouring channels, in octaves
SATURATING = 1 / 16
BEYOND = {"extremes": 4.0, "small": 1.0}  # how many times the range of codes reals take
HUGE = 2.0**33
REAL_REACH = 4.0  # of drawn reals
MOST_EXPONENT = 8.0
BIAS = 2
LOUDEST = (("all-extremes", 1), ("all-extremes", 0), ("random", 1), ("random", 2))
Way = tuple[
    str, str, float
]  # the data of the first operand, of the others, the scale's mantissa
CODE_RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint4": (0, 15), "int4": (-8, 7)}
CODE_RANGES |= {"uint16": (0, 65535), "int16": (-32768, 32767)}


def fresh_data(spec: NodeSpec, rng: Random) -> Iterator[NodeSpec]:
    """The same parameters with full data, five ways; the output's scale fits its range.

    Random codes, with ties where the scales allow them; lowest and highest codes, with a scale that
    makes ties impossible, mixed and then with equal weights; small codes, or weights of one step, so
    that every other sum is a tie; and a scale so small that most results saturate. A scale that the output shares with an operand stays shared.
    """
    untied = rng.uniform(1, 2)
    ways: tuple[Way, ...] = (
        ("random", "random", 1.0),
        ("extremes", "extremes", untied),
        ("extremes" if len(spec.operands) > 1 else "random", "all-extremes", untied),
        ("random" if len(spec.operands) > 1 else "small", "constant", 1.0),
        ("random", "random", SATURATING),
    )
    for way in ways:
        yield _filled(spec, way, rng)


def _filled(spec: NodeSpec, way: Way, rng: Random) -> NodeSpec:
    first, others, mantissa = way
    operands = []
    for i, each in enumerate(spec.operands):
        kind = others if i else first
        seed = 0 if kind == "constant" else rng.getrandbits(30)
        is_data = each.is_quantized or each.array is None
        operands.append(replace(each, kind=kind, seed=seed, array=None) if is_data else each)
    spec = replace(spec, operands=tuple(operands))
    size, unit = typical(spec)
    spec = _with_scale(spec, size, unit, mantissa)
    spec = _with_bias(spec, size, unit, rng)
    return _with_reals(spec, way, rng) if not spec.op else spec


def without_data(spec: NodeSpec) -> NodeSpec:
    """The same for all that ``fresh_data`` draws from one spec."""
    own = _own_scale(spec)
    results = tuple(replace(y, scales=(1.0,)) if own else y for y in spec.results[:1])
    tails = tuple(Tail(each.op, each.attributes, (), each.twice) for each in spec.tails)
    stripped = replace(bare(spec), results=(*results, *spec.results[1:]), tails=tails)
    return replace(
        stripped, operands=tuple(replace(o, kind="", seed=0) for o in stripped.operands)
    )


def bare(spec: NodeSpec) -> NodeSpec:
    """The spec without given codes, real inputs and biases; constants that are no data stay."""
    operands = tuple(
        replace(each, array=None) if _is_data(spec, i, each) else each
        for i, each in enumerate(spec.operands)
    )
    return replace(spec, operands=operands)


def _is_data(spec: NodeSpec, place: int, operand: Operand) -> bool:
    if operand.is_quantized or (spec.op in MATRICES and place == BIAS):
        return True
    return not operand.constant and operand.dtype in ("float32", *arrays.LOWEST)


def loud(spec: NodeSpec) -> NodeSpec:
    """The spec with zero points that were shrunk to almost nothing far from zero again, and equal scales."""

    def far(tensor: Operand) -> Operand:
        if tensor.dtype not in arrays.LOWEST:
            return tensor
        zeros = tuple(LOUD if 0 < abs(zero) < LOUD else zero for zero in tensor.zero_points)
        scales = tuple(s * 0.5 ** (i % STEPS) for i, s in enumerate(tensor.scales))
        return replace(tensor, zero_points=zeros, scales=scales)

    return replace(
        spec,
        operands=tuple(map(far, spec.operands)),
        results=tuple(map(far, spec.results)),
    )


def loudest_data(spec: NodeSpec) -> Iterator[NodeSpec]:
    """The spec with weights, or an output's scale, of which no others would trigger more."""
    for kind, seed in LOUDEST:
        operands = tuple(
            replace(each, array=None, kind=kind, seed=seed)
            if i and each.is_quantized
            else each
            for i, each in enumerate(spec.operands)
        )
        yield replace(spec, operands=operands)
    if _own_scale(spec):
        y = spec.results[0]
        fine = replace(y, scales=(y.scales[0] * SATURATING,))
        yield replace(spec, results=(fine, *spec.results[1:]))


def _own_scale(spec: NodeSpec) -> bool:
    """Whether the first result has one scale, which is no operand's on purpose."""
    y = spec.results[0]
    if len(y.scales) != 1 or y.axis is not None:
        return False
    return spec.op in OWN_SCALE or all(y.scales != each.scales for each in spec.operands)


def _with_scale(spec: NodeSpec, size: float, unit: float, mantissa: float) -> NodeSpec:
    """The result's scale: a power of two times the unit times the mantissa; bounds go with it."""
    if not _own_scale(spec):
        return spec
    y = spec.results[0]
    unit = max(
        unit, SMALLEST_SCALE
    )  # a product of two tiny scales may be no number of float32
    size = min(abs(size), LARGEST_SCALE) if isfinite(size) else LARGEST_SCALE
    steps = max(size, 1e-30) / (TARGET_STEPS * unit)
    scale = float(np.float32(min(unit * 2.0 ** round(log2(steps)) * mantissa, LARGEST_SCALE)))
    while any(each.scales == (scale,) for each in spec.operands):
        scale *= 2  # it was no operand's, and must not become one's by chance
    tails = tuple(_bounded(tail, scale / abs(y.scales[0])) for tail in spec.tails)
    y = replace(y, scales=(scale if y.scales[0] > 0 else -scale,))
    return replace(spec, results=(y, *spec.results[1:]), tails=tails)


def _bounded(tail: Tail, factor: float) -> Tail:
    if tail.op != "Clip":
        return tail
    rows = tuple(
        tuple(float(np.float32(value * factor)) for value in row) for row in tail.constants
    )
    return replace(tail, constants=rows)


def _with_bias(spec: NodeSpec, size: float, unit: float, rng: Random) -> NodeSpec:
    """A bias of about the size of the sums: codes, reals, or the row that is added behind them."""
    if spec.op not in MATRICES:
        return spec
    if len(spec.operands) > BIAS and spec.operands[BIAS].name:
        c = spec.operands[BIAS]
        count = prod(c.shape)
        noise = np.frombuffer(arrays.noise(rng.getrandbits(30), count), np.int8)
        array: Array = noise.reshape(c.shape) * np.float32(size / 256)
        if c.dtype == "int32":
            array = _int32(array.astype(np.float64) / (c.scales[0] if c.scales else unit))
        c = replace(c, array=array)
        return replace(spec, operands=(*spec.operands[:BIAS], c, *spec.operands[BIAS + 1 :]))
    tails = tuple(
        _biased(tail, size, rng) if tail.op == "Add" and not tail.twice else tail
        for tail in spec.tails
    )
    return replace(spec, tails=tails)


def _int32(values: Array) -> Array:
    """Saturated: a tiny scale cannot hold a bias of that size."""
    limits = np.iinfo(np.int32)
    return np.clip(np.rint(values), limits.min, limits.max).astype(np.int32)


def _biased(tail: Tail, size: float, rng: Random) -> Tail:
    rows = []
    for row in tail.constants:
        noise = np.frombuffer(arrays.noise(rng.getrandbits(30), len(row)), np.int8)
        rows.append(tuple((noise * np.float32(size / 256)).tolist()))
    return replace(tail, constants=tuple(rows))


def _with_reals(spec: NodeSpec, way: Way, rng: Random) -> NodeSpec:
    """Reals for a conversion: at whole and half steps of its scales, in the range of codes or beyond."""
    x, y = spec.operands[0], spec.results[0]
    if x.is_quantized or not y.is_quantized or y.dtype not in CODE_RANGES:
        return spec
    low, high = CODE_RANGES[y.dtype]
    raw = np.frombuffer(arrays.noise(rng.getrandbits(30), 4 * prod(x.shape)), np.uint32)
    halves = raw % (2 * (high - low) + 1)
    beyond = HUGE if way[2] == SATURATING else BEYOND.get(way[0], 1.0)
    steps = (low + halves / 2).reshape(x.shape) - spread(y, y.zero_points)
    array: Array = (steps * beyond * spread(y, y.scales)).astype(np.float32)
    return replace(spec, operands=(replace(x, array=array),))


def spread(tensor: Operand, values: tuple[float, ...]) -> Array:
    """Scales or zero points in float64, each where it applies."""
    row: Array = np.resize(np.array(values, np.float64), tensor.parameters_shape)
    if tensor.axis is None:
        return row
    axis = tensor.axis % len(tensor.shape)
    if tensor.block_size:
        wide: Array = row.repeat(tensor.block_size, axis).take(range(tensor.shape[axis]), axis)
        return wide
    return row.reshape([-1 if i == axis else 1 for i in range(len(tensor.shape))])


def typical(spec: NodeSpec) -> tuple[float, float]:
    """About how far the first result's reals reach, and the step that they are multiples of."""
    reals = [_reach(each) for each in spec.operands if each.name and each.dtype != "int64"]
    steps = [abs(each.scales[0]) for each in spec.operands if each.is_quantized] or [1 / 64]
    largest = max(reals, default=1.0)
    if spec.op in MATRICES:
        return _product(spec)
    if spec.op == "ReduceSum":
        terms = prod(spec.operands[0].shape) / max(prod(spec.results[0].shape), 1)
        return largest * terms**0.5, steps[0]
    if spec.op == "Mul" and len(reals) > 1:
        return reals[0] * reals[1], prod(steps[:2])
    if spec.op == "Div":
        return reals[0] / steps[-1] / 16, steps[0] / steps[-1]
    if spec.op == "Exp":
        return exp(min(largest, MOST_EXPONENT)), steps[0]
    if spec.op in BOUNDED:
        return 1.0, 1 / 256
    return largest * (1.5 if len(reals) > 1 else 1.0), min(steps)


def _product(spec: NodeSpec) -> tuple[float, float]:
    a, b = spec.operands[:2]
    found = sizes(spec)
    terms = found.get("K", 0) or found.get("C/groups", 1) * prod(
        size for name, size in found.items() if name.startswith("k")
    )
    unit = prod(max(map(abs, each.scales), default=1 / 64) for each in (a, b))
    first, second = _moments(a), _moments(b)
    mean = first[0] * second[0]
    variance = (first[0] ** 2 + first[1] ** 2) * (second[0] ** 2 + second[1] ** 2) - mean**2
    size = terms * abs(mean) + 2 * (terms * max(variance, 0)) ** 0.5
    alpha = float(str(attribute(spec, "alpha", 1.0)))
    return max(size, 1.0) * unit * alpha, unit


def _moments(operand: Operand) -> tuple[float, float]:
    """Mean and deviation of an operand, in its steps."""
    if operand.dtype not in arrays.LOWEST:
        low, high = CODE_RANGES.get(operand.dtype, (-128, 127))
        return (low + high) / 2 - operand.zero_points[0], (high - low) / 3.46
    return arrays.moments(operand.kind, operand.seed, operand.dtype, operand.zero_points[0])


def _reach(operand: Operand) -> float:
    """How far an operand's reals are from 0."""
    if operand.is_quantized:
        mean, deviation = _moments(operand)
        return max(abs(mean) + 2 * deviation, 1.0) * max(map(abs, operand.scales))
    if operand.array is not None and operand.dtype == "float32" and operand.array.size:
        return max(float(np.abs(operand.array).max()), 1e-6)
    return REAL_REACH
