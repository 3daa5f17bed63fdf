"""F128 of sums and products of codes: reals become codes by a cast, of generated code or of a kernel.

Which one depends on the shapes: where all are known, OpenVINO generates code for the whole that uses
multiply-adds and keeps the lowest bits; behind an open batch each operation rounds by itself, and the
kernel of a Convert clips.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.arithmetic import fused_multiply_add
from engine.faults.combination import every_pair_differs, with_zero_point_in_float32
from engine.faults.fault import Fault
from engine.faults.roundings import wrap_between
from engine.ir import Array
from engine.kernels.combination_parameters import CombinationParameters
from engine.profiles.elementwise import Combination, Elementwise
from engine.profiles.elementwise_exact import Combine, Operand, Operands, Prepare, Steps

Affine = Callable[[Array, Any, Any], Array]
"""(x, factor, addend) -> float32."""

_F = np.float32
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "QLinearAdd": np.add,
    "QLinearMul": np.multiply,
}


def multiply_and_add(x: Array, factor: Any, addend: Any) -> Array:
    """``fl(fl(x f) + c)``."""
    return np.asarray(x * factor + addend, _F)


def in_reals(affine: Affine) -> Callable[[Elementwise, CombinationParameters], Combination]:
    """Sums and products of two tensors in float32; other operations as in `with_zero_point_in_float32`."""

    def combination(rules: Elementwise, p: CombinationParameters) -> Combination:
        if p.op not in _FUNCTIONS:
            return with_zero_point_in_float32(rules, p)
        constant = [each in p.graph.constants for each in p.codes]
        if constant.count(True) == 1:
            return Combination(_with_constant(p.op, constant.index(True), affine))
        return Combination(_of_two(p.op, affine))

    return combination


def _of_two(op: str, affine: Affine) -> Prepare:
    """``r * fl(1/ys) + yz``; r a sum or product of ``q * s - fl(z * s)``."""

    def prepare(o: Operands) -> Combine:
        inverse, zero_point = _of_output(o)

        def steps(codes: Sequence[Array], inner: int) -> Steps:
            with np.errstate(all="ignore"):  # of extreme scales, infinity
                a, b = (
                    affine(q.astype(_F), each.scale, -_shift(each))
                    for q, each in zip(codes, o.inputs, strict=True)
                )
                return affine(_FUNCTIONS[op](a, b), inverse, zero_point), 0

        return steps

    return prepare


def _with_constant(op: str, place: int, affine: Affine) -> Prepare:
    """What a constant k is folded into, of the other's codes q with scale s.

    A sum is ``q * fl(s/ys) + fl(fl(fl(k - fl(z s)) / ys) + yz)``, a product
    ``q * fl(fl(s k) / ys) + fl(yz - fl(fl(fl(z s) k) / ys))``, each ``/ ys`` a product with ``fl(1/ys)``.
    """

    def prepare(o: Operands) -> Combine:
        inverse, zero_point = _of_output(o)
        x, fixed = o.inputs[1 - place], o.inputs[place]

        def steps(codes: Sequence[Array], inner: int) -> Steps:
            with np.errstate(all="ignore"):  # of extreme scales, infinity
                k = (codes[place].astype(_F) - _F(fixed.zero_point)) * fixed.scale
                q, shift = codes[1 - place].astype(_F), _shift(x)
                if op == "QLinearAdd":
                    return affine(q, x.scale * inverse, (k - shift) * inverse + zero_point), 0
                return affine(q, x.scale * k * inverse, zero_point - shift * k * inverse), 0

        return steps

    return prepare


def _of_output(o: Operands) -> tuple[np.float32, np.float32]:
    with np.errstate(all="ignore"):
        return _F(1) / o.y_scale, _F(o.y_zero_point)


def _shift(operand: Operand) -> np.float32:
    return _F(_F(operand.zero_point) * operand.scale)


def lowest_bits(steps: Array, low: int, high: int) -> Array:
    """The code modulo 256; 0 of what no int32 holds and of what is no number."""
    return wrap_between(np.where(np.isnan(steps), 0, steps), low, high)


def clipped(steps: Array, low: int, high: int) -> Array:
    """The nearest code; 0 of what is no number."""
    nearest: Array = np.clip(np.where(np.isnan(steps), 0, steps), low, high)
    return nearest


def _fault(
    key: str,
    title: str,
    combination: Callable[[Elementwise, CombinationParameters], Combination],
    saturate: Callable[[Array, int, int], Array],
) -> Fault:
    stages: Mapping[str, Callable[..., Any]] = {
        "elementwise.combination": combination,
        "elementwise.round": np.trunc,
        "elementwise.saturate": saturate,
    }
    return Fault(
        key,
        title,
        "openvinotoolkit/openvino: the ONNX front end's QLinear operators, measured",
        every_pair_differs(stages),
        stages,
        record=CombinationParameters,
    )


FAULTS = (
    _fault(
        "F128",
        "element-wise results become codes by a cast: zero point added, fraction cut off, lowest bits kept",
        with_zero_point_in_float32,
        lowest_bits,
    ),
    _fault(
        "F128.fused",
        "element-wise results are made by multiply-adds and cast: fraction cut off, lowest bits kept",
        in_reals(fused_multiply_add),
        lowest_bits,
    ),
    _fault(
        "F128.clipped",
        "element-wise results become codes by a conversion: zero point added, clipped, fraction cut off",
        in_reals(multiply_and_add),
        clipped,
    ),
)
