"""Passes for a case that is one convolution: its parameters, one by one, and its data."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from corpus.case import Array
from generators.operators.conv import ConvSpec, build, describe
from generators.operators.conv.spec import first_axis
from harness.reduce.data import simpler
from harness.reduce.problem import Problem, lower

PLAIN_OPSET = 13
PLAIN_RANK = 2
LOUD_CHANCES = 6  # how often in a row the loudest data may fail to fail

ConvPass = Callable[["_Conv"], None]


def shrink_conv(problem: Problem) -> None:
    """Shrink a single convolution by its parameters; does nothing on any other graph."""
    spec = describe(problem.best)
    if spec is None:
        return
    conv = _Conv(problem, spec)
    for shrink in CONV_PASSES:
        shrink(conv)


class _Conv:
    """The spec that belongs to the best case, and ``take``, which offers another."""

    def __init__(self, problem: Problem, spec: ConvSpec) -> None:
        self.problem = problem
        self.spec = spec
        self.loud_chances = LOUD_CHANCES

    def take(self, spec: ConvSpec) -> bool:
        """Offer the case of ``spec``; parameters that no model can have are refused."""
        try:
            case = replace(build(spec), origin=self.problem.best.origin)
        except ValueError:
            return False
        if not self.problem.offer(case):
            return False
        self.spec = spec
        return True

    def change(self, **changes: Any) -> bool:
        """Offer the spec with other parameters, its data cut to fit."""
        spec = cut(self.spec, **changes)
        return spec is not self.spec and self.take(spec)

    def resize(self, **sizes: Any) -> bool:
        """Offer smaller sizes; if the data that are left do not fail, the loudest data may."""
        if self.change(**sizes):
            return True
        if self.loud_chances > 0:
            self.loud_chances -= 1
            spec = cut(self.spec, **sizes)
            if spec is not self.spec and self.take(loud(spec)):
                self.loud_chances = LOUD_CHANCES
                return True
        return False

    def any_of(self, candidates: Iterator[dict[str, Any]]) -> bool:
        """Take the first set of changes that still fails."""
        return any(self.change(**each) for each in candidates)


def cut(spec: ConvSpec, **changes: Any) -> ConvSpec:
    """``spec`` with smaller sizes or other parameters; what is left of the data stays as it is.

    Leading groups, channels, pixels and taps are kept, and so are real values where a Q or DQ
    node goes: they become codes by ``clip(rint(x / scale) + zero_point)``.
    """
    new = replace(spec, **changes)
    if new == spec:
        return spec
    old = (spec.groups, spec.out_per_group)
    fitted: dict[str, Any] = {
        name: tuple(_channels(np.array(values), old, new).tolist())
        for name in ("w_zero_points", "w_scales", "bias_scales")
        if len(values := getattr(new, name)) == spec.filters > 1
    }
    fitted["x"] = _cut_x(spec, new)
    fitted["w"] = _cut_w(spec, new)
    fitted["b"] = None
    if new.b is not None and new.bias != "none":
        fitted["b"] = _channels(new.b, old, new)
    return replace(new, **fitted)


def loud(spec: ConvSpec) -> ConvSpec:
    """The spec with every input and weight at the largest one there is: sums as large as can be."""
    changes = {
        name: np.full_like(array, array.max())
        for name in ("x", "w")
        if (array := getattr(spec, name)) is not None
    }
    return replace(spec, **changes)


def _channels(array: Array, old: tuple[int, int], new: ConvSpec) -> Array:
    """Cut the first axis, which is (groups, channels of a group) flattened."""
    grouped = array.reshape(*old, *array.shape[1:])[: new.groups, : new.out_per_group]
    return grouped.reshape(-1, *array.shape[1:])


def _cut_x(spec: ConvSpec, new: ConvSpec) -> Array | None:
    if new.x is None:
        return None
    grouped = new.x.reshape(spec.batch, spec.groups, spec.in_per_group, *new.x.shape[2:])
    sizes = (new.batch, new.groups, new.in_per_group, *new.image)
    x = grouped[tuple(map(slice, sizes))].reshape(new.x_shape)
    was_real, is_real = (each.x_float or each.missing == "x" for each in (spec, new))
    if was_real and not is_real:
        x = _codes(x, np.array(spec.x_scale), np.array(spec.x_zero_point), spec.x_dtype)
    return np.ascontiguousarray(x)


def _cut_w(spec: ConvSpec, new: ConvSpec) -> Array | None:
    if new.w is None:
        return None
    w = _channels(new.w, (spec.groups, spec.out_per_group), new)
    w = w[(slice(None), slice(new.in_per_group), *map(slice, new.kernel))].reshape(new.w_shape)
    if spec.missing == "w" and new.missing != "w":
        per_filter = (-1, *[1] * (w.ndim - 1))
        zeros, scales = map(np.array, (new.w_zero_points, new.w_scales))
        w = _codes(w, scales.reshape(per_filter), zeros.reshape(per_filter), new.w_dtype)
    return np.ascontiguousarray(w)


def _codes(real: Array, scale: Array, zero: Array, dtype: str) -> Array:
    limits = np.iinfo(dtype)
    steps = np.clip(np.rint(real / scale) + zero, limits.min, limits.max)
    codes: Array = steps.astype(dtype)
    return codes


def _geometry(spec: ConvSpec) -> dict[str, Any]:
    ones = (1,) * len(spec.image)
    plain = dict.fromkeys(("image", "kernel", "strides", "dilations"), ones)
    return {"batch": 1, **plain, "pads": (0,) * 2 * len(ones), "auto_pad": "NOTSET"}


def _surroundings(_: ConvSpec) -> dict[str, Any]:
    plain = dict.fromkeys(("doubled", "shared", "missing", "activation", "bias"), "none")
    said: dict[str, Any] = {"written": ("kernel_shape",), "spelled": (), "w_axis": 0}
    return {**plain, **said, "x_float": False, "y_float": False, "x_offset": "none"}


def _quantization(spec: ConvSpec) -> dict[str, Any]:
    zeros = {"x_zero_point": 0, "w_zero_points": (0,), "y_zero_point": 0}
    return {**zeros, "w_scales": spec.w_scales[:1], "bias_scales": spec.bias_scales[:1]}


_ASPECTS = (_geometry, _surroundings, _quantization)


def _same(conv: _Conv) -> None:
    """The case as the generator writes it."""
    conv.take(conv.spec)


def _bold(conv: _Conv) -> None:
    """Everything plain at once; else one aspect at once; else parameter by parameter."""
    everything: dict[str, Any] = {"in_per_group": 1}
    for aspect in _ASPECTS:
        everything |= aspect(conv.spec)
    if conv.change(**everything):
        return
    for aspect in _ASPECTS:
        if not conv.resize(**aspect(conv.spec)):
            for name, value in aspect(conv.spec).items():
                conv.change(**{name: value})
    if conv.spec.bias == "own-scale":
        conv.change(bias="int32", bias_scales=(1.0,))


def _channels_fewer(conv: _Conv) -> None:
    """Groups, output and input channels per group."""
    for name in ("groups", "out_per_group", "in_per_group"):
        lower(getattr(conv.spec, name), 1, partial(_resize, conv, name))


def _axes_shorter(conv: _Conv) -> None:
    """Batch, and each axis' pixels, taps, stride, dilation and pads."""
    lower(conv.spec.batch, 1, partial(_resize, conv, "batch"))
    plain = _geometry(conv.spec)
    for name in ("image", "kernel", "strides", "dilations", "pads"):
        for axis, least in enumerate(plain[name]):
            lower(
                getattr(conv.spec, name)[axis], least, partial(_resize_axis, conv, name, axis)
            )


def _resize(conv: _Conv, name: str, size: int) -> bool:
    return conv.resize(**{name: size})


def _resize_axis(conv: _Conv, name: str, axis: int, size: int) -> bool:
    values = list(getattr(conv.spec, name))
    values[axis] = size
    return conv.resize(**{name: tuple(values)})


def _rank_lower(conv: _Conv) -> None:
    """Three axes become two where the last has one pixel and one tap."""
    spec = conv.spec
    rank = len(spec.image)
    if rank <= PLAIN_RANK or (spec.image[-1], spec.kernel[-1]) != (1, 1):
        return
    short = {
        name: getattr(spec, name)[:-1] for name in ("image", "kernel", "strides", "dilations")
    }
    short["pads"] = spec.pads[: rank - 1] + spec.pads[rank : 2 * rank - 1]
    x, w = (None if each is None else each[..., 0] for each in (spec.x, spec.w))
    axis = first_axis(rank - 1) if spec.w_axis else 0
    conv.take(replace(spec, **short, w_axis=axis, x=x, w=w))


def _scales_plain(conv: _Conv) -> None:
    """All scales 1; else powers of two with the same ratio; else each its nearest power."""
    spec = conv.spec
    w = tuple(map(_power_of_two, spec.w_scales))
    ones = (1.0,) * len(w)
    product = spec.x_scale * spec.w_scales[0]
    ratio = _power_of_two(spec.y_scale / product) if product else 1.0
    powers = {"x_scale": _power_of_two(spec.x_scale), "y_scale": _power_of_two(spec.y_scale)}
    plain = {"x_scale": 1.0, "w_scales": ones}
    choices = [
        {**plain, "y_scale": 1.0},
        {**plain, "y_scale": ratio},
        {**powers, "w_scales": w},
    ]
    if not conv.any_of(iter(choices)):
        for name, value in (*powers.items(), ("w_scales", w)):
            conv.change(**{name: value})


def _power_of_two(value: float) -> float:
    """The nearest, of the same sign; a value that has none stays."""
    if value == 0 or not math.isfinite(value):
        return value
    return math.copysign(float(np.exp2(np.rint(np.log2(abs(value))))), value)


def _opset_plain(conv: _Conv) -> None:
    """The first opset with per-channel parameters, which every engine knows."""
    if conv.spec.opset > PLAIN_OPSET:
        conv.change(opset=PLAIN_OPSET)


def _data_plain(conv: _Conv) -> None:
    """Bias, weights and input: plainer values, from zeros to the given ones."""
    for name in ("b", "w", "x"):
        array = getattr(conv.spec, name)
        if array is not None:
            any(conv.change(**{name: each}) for each in simpler(array))


CONV_PASSES: tuple[ConvPass, ...] = (
    _same,
    _bold,
    _channels_fewer,
    _axes_shorter,
    _rank_lower,
    _scales_plain,
    _opset_plain,
    _data_plain,
)
