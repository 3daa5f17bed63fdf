"""Faults behind an element-wise operation on codes: rounding, saturation, activation.

Whether one can show is decided by trying: two operands have 65,536 pairs of codes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, round_half_away
from engine.faults.fault import Fault
from engine.faults.roundings import half_up, wrap_between
from engine.ir import Array, Graph, Node
from engine.kernels.combination_parameters import CombinationParameters
from engine.kernels.operator import Setting
from engine.kernels.qlinear_binary import clamp, combination_kernel, combination_of
from engine.kernels.stages import correct_stages
from engine.profiles import PROFILES
from engine.profiles.elementwise import Combination, Elementwise
from engine.profiles.elementwise_exact import Combine, Operands, Prepare, Steps

Stages = Mapping[str, Callable[..., Any]]

_EXACT = PROFILES["spec"]


def every_pair_differs(stages: Stages) -> Callable[[CombinationParameters], bool]:
    """Whether stages change the result of some pair of codes; of more operands, they might."""

    def trigger(p: CombinationParameters) -> bool:
        if len(p.operands.inputs) != 2:
            return True
        codes = _codes_behind if _BEFORE.isdisjoint(stages) else _codes_of_pairs
        return not np.array_equal(codes(p, stages), _right_codes(p))

    return trigger


_BEFORE = frozenset({"elementwise.parameters", "elementwise.combination"})
"""Stages that decide about the steps."""


def _codes_of_pairs(p: CombinationParameters, stages: Stages) -> Array:
    """The exact results of all 65,536 pairs of codes, with some stages replaced."""
    setting = Setting(Graph(1, (), (), {}, ()), _EXACT, correct_stages(_EXACT), stages)
    with np.errstate(all="ignore"):
        kernel = combination_kernel(Node(p.node, p.op, (), ("y",), {}), p, setting)
        codes: Array = kernel(_pairs(p))
    return codes


def _codes_behind(p: CombinationParameters, stages: Stages) -> Array:
    """The same where stages behind the steps are replaced, which are computed once for all."""
    found = _steps_of_pairs(p)
    return _codes_of_pairs(
        p, {**stages, "elementwise.combine": lambda _: lambda codes, inner: found}
    )


def _pairs(p: CombinationParameters) -> tuple[Array, Array]:
    every = np.arange(256, dtype=np.uint8).view(p.dtype)
    return np.repeat(every, 256), np.tile(every, 256)


@lru_cache(maxsize=2)
def _steps_of_pairs(p: CombinationParameters) -> Steps:
    with np.errstate(all="ignore"):
        steps, offset = combination_of(_EXACT.elementwise, p).main(p.operands)(_pairs(p), -1)
    steps.setflags(write=False)
    return steps, offset


@lru_cache(maxsize=2)
def _right_codes(p: CombinationParameters) -> Array:
    return _codes_behind(p, {})


def wrapped(steps: Array, low: int, high: int) -> Array:
    """The code modulo 256; what is no number is the lowest."""
    return wrap_between(np.where(np.isnan(steps), low, steps), low, high)


def saturated_as_int8(steps: Array, low: int, high: int) -> Array:
    """Steps from -128 to 127, clipped again after the zero point was added."""
    saturated: Array = np.clip(np.clip(steps, -128, 127), low, high)
    return saturated


def with_zero_point_inside(rules: Elementwise, p: CombinationParameters) -> Combination:
    """``rne(v + z)``: with an odd zero point, ties go to odd steps."""
    return _with_sums(rules, p, lambda v, z: np.asarray(v + z))


def with_zero_point_in_float32(rules: Elementwise, p: CombinationParameters) -> Combination:
    """``rne(fl(v + z))``: from 2**24 on the lowest bits are lost."""
    return _with_sums(rules, p, lambda v, z: np.asarray(v.astype(np.float32) + np.float32(z)))


def _with_sums(
    rules: Elementwise, p: CombinationParameters, add: Callable[[Array, int], Array]
) -> Combination:
    def change(prepare: Prepare) -> Prepare:
        def moved(o: Operands) -> Combine:
            combine = prepare(o)

            def steps(codes: Sequence[Array], inner: int) -> Steps:
                return add(*combine(codes, inner)), 0

            return steps

        return moved

    found = combination_of(rules, p)
    tail = None if found.tail is None else change(found.tail)
    return Combination(change(found.main), tail, found.block, found.saturate)


def relu_at_code_zero(codes: Array, p: CombinationParameters) -> Array:
    """``max(q, 0)`` of int8 codes: code 0 taken for real 0."""
    if p.activation != "Relu" or p.dtype != np.int8:
        return clamp(codes, p)
    clipped: Array = np.maximum(codes, 0)
    return clipped


def relu_at_first_zero_point(codes: Array, p: CombinationParameters) -> Array:
    """``max(q, az)``: the zero point of the first input for the output's."""
    if p.activation != "Relu":
        return clamp(codes, p)
    clipped: Array = np.maximum(codes, p.operands.inputs[0].zero_point).astype(codes.dtype)
    return clipped


def without_relu(codes: Array, p: CombinationParameters) -> Array:
    """Codes below the zero point stay."""
    return codes if p.activation == "Relu" else clamp(codes, p)


def bounds_as_codes(codes: Array, p: CombinationParameters) -> Array:
    """``min(max(q, 0), 6)`` for bounds of 0 and 6, whatever the scale."""
    if p.activation != "Clip":
        return clamp(codes, p)
    bottom, top = RANGES[p.dtype]
    low, high = (round(min(max(each, bottom), top)) for each in p.bounds)
    clipped: Array = np.minimum(np.maximum(codes, low), high).astype(codes.dtype)
    return clipped


def bounds_in_codes_of_first(codes: Array, p: CombinationParameters) -> Array:
    """The bounds with the scale and zero point of the first input."""
    if p.activation != "Clip":
        return clamp(codes, p)
    a, (bottom, top) = p.operands.inputs[0], RANGES[p.dtype]
    low, high = (
        round(min(max(each / float(a.scale) + a.zero_point, bottom), top)) for each in p.bounds
    )
    clipped: Array = np.minimum(np.maximum(codes, low), high).astype(codes.dtype)
    return clipped


def _fault(
    key: str,
    title: str,
    source: str,
    stage: str,
    replacement: Callable[..., Any],
    concerns: Callable[[CombinationParameters], bool] = lambda _: True,
) -> Fault:
    stages = {f"elementwise.{stage}": replacement}
    shows = every_pair_differs(stages)
    return Fault(
        key,
        title,
        source,
        lambda p: concerns(p) and shows(p),
        stages,
        record=CombinationParameters,
    )


def _relu(p: CombinationParameters) -> bool:
    return p.activation == "Relu" and p.low > RANGES[p.dtype][0]


FAULTS = (
    _fault(
        "F80.add",
        "the relu behind an element-wise operation on int8 codes clamps at code 0, not at the zero point",
        "pytorch/executorch PR 18462",
        "activate",
        relu_at_code_zero,
        lambda p: p.activation == "Relu",
    ),
    _fault(
        "F80b.add",
        "the relu behind an element-wise operation clamps at the zero point of its first input",
        "activations fused with the parameters at hand",
        "activate",
        relu_at_first_zero_point,
        lambda p: p.activation == "Relu",
    ),
    _fault(
        "F81.add",
        "the relu behind an element-wise operation is dropped, although codes lie below the zero point",
        "microsoft/onnxruntime drops a relu in front of QuantizeLinear",
        "activate",
        without_relu,
        _relu,
    ),
    _fault(
        "F83.add",
        "the bounds of a Clip behind an element-wise operation are taken for codes",
        "kernels for relu6 that clamp codes at 0 and 6",
        "activate",
        bounds_as_codes,
        lambda p: p.activation == "Clip",
    ),
    _fault(
        "F84.add",
        "the bounds of a Clip behind an element-wise operation are quantized as its first input is",
        "activations fused with the parameters at hand",
        "activate",
        bounds_in_codes_of_first,
        lambda p: p.activation == "Clip",
    ),
    _fault(
        "F70.add",
        "element-wise results are rounded with ties away from zero",
        "microsoft/onnxruntime#25045",
        "round",
        round_half_away,
    ),
    _fault(
        "F71.add",
        "element-wise results are rounded with ties up",
        "tenstorrent/tt-metal#56525",
        "round",
        half_up,
    ),
    _fault(
        "F75.add",
        "the zero point is added to an element-wise result before it is rounded",
        "opencv/opencv 4.x int8 element-wise layers",
        "combination",
        with_zero_point_inside,
        lambda p: p.operands.y_zero_point % 2 != 0,
    ),
    _fault(
        "F72.add",
        "element-wise results are truncated",
        "microsoft/onnxruntime PR 32452",
        "round",
        np.trunc,
    ),
    _fault(
        "F73a.add",
        "element-wise results are rounded down",
        "casts that floor",
        "round",
        np.floor,
    ),
    _fault(
        "F74.add",
        "element-wise results saturate as int8 before the zero point is added",
        "ROCm/rocMLIR PR 1034",
        "saturate",
        saturated_as_int8,
    ),
    _fault(
        "F38.add",
        "element-wise results are stored without being clipped",
        "tinygrad/tinygrad#8546",
        "saturate",
        wrapped,
    ),
)
