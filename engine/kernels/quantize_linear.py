"""QuantizeLinear: per tensor, per axis, in blocks; to integer and float codes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.chunks import CHUNK, in_chunks
from engine.kernels.number_types import (
    FLOAT8,
    FLOAT_CODES,
    INTEGER_CODES,
    PACKED,
    Dtype,
    saturate_codes,
)
from engine.kernels.operator import CONTRIB, Kernel, Run, Setting, operator
from engine.kernels.quantize_granularity import spread
from engine.kernels.quantize_parameters import (
    DIVISION_TYPES,
    FLOAT16,
    FLOAT32,
    QuantizeParameters,
    check_codes,
    check_scale,
    division_type,
    read_quantize,
)
from engine.profiles.profile import Profile
from engine.profiles.quantization import (
    EVERYWHERE,
    NOWHERE,
    FloatRule,
    Rule,
    Scale,
    divide,
)

_F = np.float32
Code = Array | np.integer[Any]
Saturate = Callable[[Array, Dtype], Array]
_INT32 = np.dtype(np.int32)
_REALS = DIVISION_TYPES | {_INT32}
_READ = frozenset([*INTEGER_CODES, *FLOAT_CODES, _INT32])
_WIDE = INTEGER_CODES.keys() - PACKED.keys()


def quantize_linear(
    x: Array,
    scale: Scale,
    zero_point: Code,
    rule: Rule = divide,
) -> Array:
    """``q = sat(rne(x/s) + z)``, eq. (2), to integer codes.

    Shapes:
        ``scale`` and ``zero_point`` broadcast against ``x`` (*S) -> ``q`` (*S).

    Units:
        ``x`` and ``scale`` real; ``zero_point`` and ``q`` are codes.

    Exact:
        Clipped as a float, so that no quotient is too large; NaN gives the lowest code, as the
        x86 maximum does (the standard is silent).

    Source:
        ONNX QuantizeLinear-10 to -28.
    """
    steps = np.asarray(rule(x, scale, np.asarray(zero_point).astype(_F)))
    return saturate_codes(steps, zero_point.dtype)


def quantize_operator(node: Node, setting: Setting) -> Kernel:
    """QuantizeLinear as a function of ``(x, scale[, zero_point])``.

    Stages: the parameters, spread over the data, the rule (divide, round, add z), saturate; where
    codes are floats, how quotients become these.
    """
    given = read_quantize(node, setting)
    p = setting.stage("quantize.parameters", as_given)(given)
    profile = setting.profile
    rule = setting.stage("quantize.rule", rule_of_profile)(profile.quantize, p)
    if rule is not profile.quantize:  # a fault's, on every element
        profile = replace(profile, quantize=rule, second_path=None)
    floats = setting.stage("quantize.floats", floats_of_profile)(profile.float_codes)
    quotient = setting.stage("quantize.quotient", divided)
    place = setting.stage("quantize.spread", spread)
    place_zero = setting.stage("quantize.zero_points", place)
    saturate = setting.stage("quantize.saturation", saturation)(p)

    def run(x: Array, scale: Array, zero_point: Array | None = None) -> Array:
        z = np.zeros((), p.dtype) if zero_point is None else zero_point
        _check(p, x, scale, z)
        kind = division_type(scale.dtype, p.precision)
        wide = FLOAT32 if kind == FLOAT16 and profile.half_in_float32 else kind
        data = x.astype(kind, copy=False).astype(wide, copy=False)
        steps = place(scale.astype(kind).astype(wide), x.shape, p.granularity)
        zeros = place_zero(z.astype(_F), x.shape, p.granularity)
        if z.dtype in FLOAT_CODES:
            adds = zeros.any() or (zero_point is not None and z.dtype not in FLOAT8)
            compute = _to_floats(floats, quotient, z.dtype, p.saturate, bool(adds))
            return in_chunks(compute, z.dtype, data, steps, zeros)
        at: Array | slice = NOWHERE
        if profile.second_path is not None:
            at = profile.second_path.elements(z.dtype, kind, scale, x.shape, p.granularity)
        return _to_integers(profile, saturate, z.dtype, at, (data, steps, zeros))

    return Kernel(_short_way(p, profile, saturate, run), parameters=given)


def as_given(p: QuantizeParameters) -> QuantizeParameters:
    """The parameters of the node."""
    return p


def rule_of_profile(rule: Rule, p: object) -> Rule:
    """Divide, round, add the zero point, as the profile does."""
    return rule


def floats_of_profile(rule: FloatRule) -> FloatRule:
    """Quotients become codes that are floats as the profile says."""
    return rule


def divided(x: Array, scale: Array) -> Array:
    """``fl(x/s)``, of which codes that are floats are made."""
    return np.asarray(x / scale)


def saturation(p: QuantizeParameters) -> Saturate:
    """What makes codes of rounded steps."""
    return saturate_codes


def _short_way(p: QuantizeParameters, profile: Profile, saturate: Saturate, run: Run) -> Run:
    """The way of float32 data with one constant scale, where that is certain."""
    z = p.zero_point
    if z is None and p.dtype is not None and not p.computed_zero_point:
        z = np.zeros((), p.dtype)
    if p.scale is None or z is None or p.granularity.block_size or p.precision is not None:
        return run
    if p.scale.dtype != FLOAT32 or z.dtype not in _WIDE or not p.scale.size == z.size == 1:
        return run
    scale, zero_point, dtype = p.scale.reshape(()), z.reshape(()).astype(_F), z.dtype
    rule, path = profile.quantize, profile.second_path

    def short(x: Array, *parameters: Array | None) -> Array:
        if x.dtype != FLOAT32:
            codes: Array = run(x, *parameters)
            return codes
        if path is None and x.size <= CHUNK:
            return saturate(np.asarray(rule(x, scale, zero_point)), dtype)
        at: Array | slice = NOWHERE
        if path is not None:
            at = path.elements(dtype, FLOAT32, scale, x.shape, p.granularity)
        return _to_integers(profile, saturate, dtype, at, (x, scale, zero_point))

    return short


def _to_integers(
    profile: Profile,
    saturate: Saturate,
    dtype: Dtype,
    second: Array | slice,
    parts: tuple[Array, Array, Array],
) -> Array:
    """Codes of (data, scale, zero point); the flat indices ``second`` take the second path."""

    def by(rule: Rule) -> Callable[..., Array]:
        return lambda *some: saturate(np.asarray(rule(*some)), dtype)

    if profile.second_path is None or second is NOWHERE:
        return in_chunks(by(profile.quantize), dtype, *parts)
    if second is EVERYWHERE:
        return in_chunks(by(profile.second_path.rule), dtype, *parts)
    codes = in_chunks(by(profile.quantize), dtype, *parts)
    shape = codes.shape or (1,)
    some = [
        each if each.ndim == 0 else np.broadcast_to(each, shape).reshape(-1)[second]
        for each in (parts[0].reshape(shape), *parts[1:])
    ]
    codes.reshape(-1)[second] = in_chunks(by(profile.second_path.rule), dtype, *some)
    return codes


def _to_floats(
    rule: FloatRule,
    quotient: Callable[[Array, Array], Array],
    dtype: Dtype,
    saturate: bool,
    adds: bool,
) -> Callable[[Array, Array, Array], Array]:
    """``fl(x/s) + z`` in the type of the codes; adding a zero point makes 0 of -0."""

    def compute(x: Array, scale: Array, zero_point: Array) -> Array:
        quotients = quotient(x, scale).astype(_F, copy=False)
        if adds:
            quotients = np.asarray(quotients + zero_point)
        return rule(quotients, dtype, saturate)

    return compute


def _check(p: QuantizeParameters, x: Array, scale: Array, zero_point: Array) -> None:
    where = p.granularity.node
    if x.dtype not in _REALS:
        raise Unsupported(f"{where}: {x.dtype} data; use float32, float16, bfloat16 or int32")
    if p.scale is None:
        check_scale(where, scale)
    if p.computed_zero_point:
        check_codes(where, zero_point.dtype)
        if p.dtype is not None and zero_point.dtype != p.dtype:
            raise InvalidModel(
                f"{where}: output_dtype is {p.dtype}, the zero point {zero_point.dtype}"
            )


OPERATORS = (
    operator(
        "QuantizeLinear",
        quantize_operator,
        "axis block_size output_dtype precision saturate",
        inputs=(2, 3),
        domains=("", *CONTRIB),
        since=10,
    ),
)
