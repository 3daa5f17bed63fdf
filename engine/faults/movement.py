"""Faults of what moves or joins codes: scales left behind, layouts taken for others, borders."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, round_half_away, round_half_even
from engine.faults.fault import Fault
from engine.faults.roundings import half_up, wrap_between
from engine.ir import Array
from engine.kernels.known_shape import known_shape, known_shapes
from engine.kernels.movement import FlatParameters
from engine.kernels.qlinear_select import (
    Requantize,
    SelectParameters,
    by_table,
    concatenate,
)
from engine.kernels.table import every_code
from engine.profiles import PROFILES, Profile, saturate
from engine.profiles.elementwise import Saturate

_LANES = 8

Join = Callable[[Sequence[Array], int], Array]
Round = Callable[[Array], Array]
Prepare = Callable[[int, SelectParameters, Profile], Requantize | None]


def copied_in(op: str) -> Prepare:
    """The codes of every input of that operator as they are."""

    def prepare(index: int, p: SelectParameters, profile: Profile) -> Requantize | None:
        return None if p.op == op else by_table(index, p, profile)

    return prepare


def all_as_first(index: int, p: SelectParameters, profile: Profile) -> Requantize | None:
    """Every input with the scale and zero point of the first."""
    return by_table(0, p, profile)


def rescaled_by(rounding: Round, saturating: Saturate = saturate) -> Prepare:
    """``sat(round((q - xz) xs/ys) + yz)`` of every code, looked up."""

    def prepare(index: int, p: SelectParameters, profile: Profile) -> Requantize | None:
        x, (low, high) = p.inputs[index], RANGES[p.dtype]
        if by_table(index, p, profile) is None:
            return None
        steps = every_code(p.dtype).astype(np.float64) - x.zero_point
        steps = rounding(steps * float(x.scale) / float(p.y_scale))
        z = p.y_zero_point
        codes = (saturating(steps, low - z, high - z) + z).astype(p.dtype)
        return lambda q: codes[q.astype(np.int16) - low]

    return prepare


def looked_up(codes: Array, p: SelectParameters) -> Requantize:
    """A table of what every code becomes."""
    table, low = codes.astype(p.dtype), RANGES[p.dtype][0]
    return lambda q: table[q.astype(np.int16) - low]


def from_blocks(x: Array) -> Array:
    """An image in blocks of 8 channels, absent lanes 0, its memory read as if they were not there."""
    if x.ndim < 3:
        return x
    n, channels, *image = x.shape
    lanes = np.zeros((n, -(-channels // _LANES) * _LANES, *image), x.dtype)
    lanes[:, :channels] = x
    return lanes.reshape(-1)[: x.size].reshape(x.shape)


def joined_blocks(parts: Sequence[Array], axis: int) -> Array:
    """Channels of whole blocks of 8, absent lanes 0, one part after the other, then cropped."""
    if parts[0].ndim < 3 or axis % parts[0].ndim != 1:
        return concatenate(parts, axis)
    whole = []
    for part in parts:
        n, channels, *image = part.shape
        lanes = np.zeros((n, -(-channels // _LANES) * _LANES, *image), part.dtype)
        lanes[:, :channels] = part
        whole.append(lanes)
    return np.concatenate(whole, 1)[:, : sum(part.shape[1] for part in parts)]


def joined_channels_last(parts: Sequence[Array], axis: int) -> Array:
    """Images in NHWC memory, joined along the axis of NCHW."""
    right = concatenate(parts, axis)
    if right.ndim < 3 or len({part.shape for part in parts}) > 1:
        return right
    memory = np.concatenate([np.moveaxis(part, 1, -1) for part in parts], axis)
    return np.moveaxis(memory.reshape(np.moveaxis(right, 1, -1).shape), -1, 1)


def _requantizes(prepare: Prepare) -> Callable[[SelectParameters], bool]:
    """Whether some code of some input becomes another code than it should."""

    def trigger(p: SelectParameters) -> bool:
        codes, profile = every_code(p.dtype), PROFILES["spec"]
        for index in range(len(p.inputs)):
            right, wrong = (rule(index, p, profile) for rule in (by_table, prepare))
            expected, found = (each(codes) if each else codes for each in (right, wrong))
            if (expected != found).any():
                return True
        return False

    return trigger


def _joins(wrong: Join) -> Callable[[SelectParameters], bool]:
    """Whether, with the shapes at hand, an element comes from another place."""

    def trigger(p: SelectParameters) -> bool:
        if p.op != "QLinearConcat":
            return False
        shapes = known_shapes(p.graph, p.codes)
        if shapes is None:
            return True
        places, first = [], 1
        for shape in shapes:
            size = int(np.prod(shape, dtype=int))
            places.append(np.arange(first, first + size).reshape(shape))
            first += size
        return not np.array_equal(concatenate(places, p.axis), wrong(places, p.axis))

    return trigger


def _has_absent_lanes(p: FlatParameters) -> bool:
    """Whether images follow one another in memory, with lanes between that hold no channel."""
    shape = known_shape(p.graph, p.tensor)
    if shape is None:
        return True
    return len(shape) > 2 and shape[0] > 1 and shape[1] % _LANES != 0 and 0 not in shape


def _select(
    key: str,
    title: str,
    source: str,
    stages: Mapping[str, Callable[..., Any]],
    trigger: Callable[[SelectParameters], bool],
) -> Fault:
    return Fault(key, title, source, trigger, stages, record=SelectParameters)


def requantizing(key: str, title: str, source: str, prepare: Prepare) -> Fault:
    """A fault of what rescales codes, by a table of every one of them."""
    stages = {"select.requantize": prepare}
    return _select(key, title, source, stages, _requantizes(prepare))


FAULTS = (
    Fault(
        "F39",
        "a DequantizeLinear and a QuantizeLinear of one scale are dropped, although types differ",
        "rules that compare scales only",
        guards_off=("R40.G5/type",),
    ),
    requantizing(
        "F96",
        "a concatenation copies the codes of its inputs without rescaling them",
        "pytorch/pytorch#46604; huggingface/optimum-quanto#74",
        copied_in("QLinearConcat"),
    ),
    requantizing(
        "F96.first",
        "a concatenation or choice reads every input with the scale and zero point of the first",
        "one set of parameters for a list of tensors",
        all_as_first,
    ),
    Fault(
        "F96.split",
        "the parts of a Split keep their codes, although they are quantized anew",
        "pytorch/pytorch#46604",
        guards_off=("R18.G5/scale", "R18.G5/zero point"),
    ),
    requantizing(
        "F98",
        "a choice copies codes, a constant's among them, that have another scale or zero point",
        "constants stored in codes of their own parameters",
        copied_in("QLinearWhere"),
    ),
    Fault(
        "F22",
        "a Pad with a value other than 0 is merged into an operator that pads with 0",
        "folded pads whose value is not looked at",
        guards_off=("R54.G11/value",),
    ),
    _select(
        "F97",
        "images in NHWC memory are concatenated along the axis that NCHW has",
        "apache/mxnet PR 20383",
        {"select.join": joined_channels_last},
        _joins(joined_channels_last),
    ),
    _select(
        "F06",
        "images in blocks of 8 channels are concatenated with their absent lanes",
        "layout passes that do not repack",
        {"select.join": joined_blocks},
        _joins(joined_blocks),
    ),
    requantizing(
        "F70.concat",
        "codes that a concatenation or choice rescales are rounded with ties away from zero",
        "microsoft/onnxruntime#25045",
        rescaled_by(round_half_away),
    ),
    requantizing(
        "F71.concat",
        "codes that a concatenation or choice rescales are rounded with ties up",
        "tenstorrent/tt-metal#56525",
        rescaled_by(half_up),
    ),
    requantizing(
        "F72.concat",
        "codes that a concatenation or choice rescales are truncated",
        "microsoft/onnxruntime PR 32452",
        rescaled_by(np.trunc),
    ),
    requantizing(
        "F73a.concat",
        "codes that a concatenation or choice rescales are rounded down",
        "casts that floor",
        rescaled_by(np.floor),
    ),
    requantizing(
        "F38.concat",
        "codes that a concatenation or choice rescales are stored without being clipped",
        "tinygrad/tinygrad#8546",
        rescaled_by(round_half_even, wrap_between),
    ),
    Fault(
        "F05",
        "a Reshape or Flatten of an image in blocks of 8 channels reads its absent lanes",
        "layout passes that do not know every reader",
        _has_absent_lanes,
        {"movement.order": from_blocks},
        record=FlatParameters,
    ),
)
