"""Draws the parameters of a convolution.

Every choice has its simplest option first, and no simple case takes more choices than a less simple
one, because Hypothesis prefers fewer choices to simpler ones: so some choices are made and not used.
"""

from math import prod
from typing import Any

from generators import arrays, qparams
from generators.choices import Choices
from generators.operators.conv.coincidences import coincide
from generators.operators.conv.data import beyond_int32, typical_accumulator
from generators.operators.conv.spec import NEWEST_OPSET, OLDEST_OPSET, PER_AXIS_OPSET, ConvSpec

LANES = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33)
IN_PER_GROUP = (1, 2, 3, 4, 5, 7, 8, 9, 16, 17)
MOST_FILTERS = 68
MOST_ELEMENTS = (192, 768)
MOST_PRODUCTS = 60_000
LONGEST_SIDE = {1: 20, 2: 10, 3: 5}
_OPSETS = (PER_AXIS_OPSET, *range(OLDEST_OPSET, NEWEST_OPSET + 1))
_TYPES = (("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8"))
_X_DATA: tuple[str, ...] = (
    "constant",
    "one-hot",
    "small",
    "coarse",
    "extremes",
    "all-extremes",
    "seven-bit",
)
_X_DATA += ("random",) * 4
_W_DATA = (*_X_DATA, "seven-bit")
_TIE_DATA = ("constant", "small", "coarse", "coarse")

Fields = dict[str, Any]


def conv_specs(choices: Choices, scales: str) -> ConvSpec:
    """The parameters of one valid convolution whose scales follow the policy ``scales``."""
    style = qparams.style(choices, scales)
    fields: Fields = {"form": choices.spread(("QLinearConv", "QDQ"))}
    fields |= _groups(choices)
    fields |= _geometry(choices, fields)
    fields |= _codes(choices)
    if fields["form"] == "QDQ":
        fields |= _placement(choices)
    fields["opset"] = choices.pick(_OPSETS)
    fields |= _data(choices, style)
    fields |= _quantization(choices, style, fields)
    spec = ConvSpec(**fields)
    return coincide(choices, ConvSpec(**(fields | _output(choices, style, spec))))


def _groups(choices: Choices) -> Fields:
    kind = choices.spread(("plain", "depthwise", "multiplier", "grouped"))
    lanes = choices.pick(LANES)
    ins = choices.pick(IN_PER_GROUP)
    square = choices.flag(3)  # then what is for an output channel fits the inputs too
    if kind == "plain":
        return {"in_per_group": ins, "out_per_group": ins if square else lanes}
    if kind == "depthwise":
        return {"groups": max(lanes, 2)}
    groups = choices.integer(2, max(2, min(6, MOST_FILTERS // lanes)))
    if kind == "multiplier":
        return {"groups": groups, "out_per_group": max(lanes, 2)}
    return {"groups": groups, "in_per_group": max(ins, 2), "out_per_group": lanes}


def _geometry(choices: Choices, fields: Fields) -> Fields:
    rank = choices.pick((2, 2, 2, 1, 3))
    kernel = _per_axis(choices, rank, (1, 3, 2, 5, 4) if rank < 3 else (1, 3, 2))
    strides = _per_axis(choices, rank, (1, 1, 2, 3))
    batch = choices.pick((1, 1, 2, 3))
    side = _longest_side(choices, rank, batch * prod(kernel), fields)
    image = tuple([choices.integer(1, side) for _ in range(3)][:rank])
    padding = choices.pick(("none", "symmetric", "asymmetric", "auto"))
    auto_pad = "NOTSET"
    if padding == "auto":
        auto_pad = choices.pick(("VALID", "SAME_UPPER", "SAME_LOWER"))
    same = auto_pad.startswith("SAME")
    dilations = _per_axis(choices, rank, (1, 1, 2, 3))
    if same:
        dilations = (1,) * rank  # onnxruntime refuses others
    pads = (0,) * (2 * rank)
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    if padding.endswith("symmetric"):
        pads = _pads(choices, padding, image, reach)
    elif not same:
        image = tuple(map(max, image, reach))
    return {
        "batch": batch,
        "image": image,
        "kernel": kernel,
        "strides": strides,
        "dilations": dilations,
        "pads": pads,
        "auto_pad": auto_pad,
    }


def _per_axis(choices: Choices, rank: int, options: tuple[int, ...]) -> tuple[int, ...]:
    """One size for all axes, or one each."""
    first = choices.pick(options)
    if not choices.flag(3):
        return (first,) * rank
    return (first, *[choices.pick(options) for _ in range(rank - 1)])


def _longest_side(choices: Choices, rank: int, factor: int, fields: Fields) -> int:
    """How long an image may be for the case to stay cheap."""
    groups, ins, outs = (
        fields.get(name, 1) for name in ("groups", "in_per_group", "out_per_group")
    )
    pixels = min(
        choices.pick(MOST_ELEMENTS) / (groups * max(ins, outs)),
        MOST_PRODUCTS / (groups * outs * ins * factor),
    )
    return max(1, min(LONGEST_SIDE[rank], int(pixels ** (1 / rank))))


def _pads(
    choices: Choices, padding: str, image: tuple[int, ...], reach: list[int]
) -> tuple[int, ...]:
    """Begins and ends of 0 to 2, more where the dilated kernel would not fit otherwise."""
    begins = [choices.integer(0, 2) for _ in image]
    ends = begins if padding == "symmetric" else [choices.integer(0, 2) for _ in image]
    lacking = [
        max(0, r - i - b - e) for r, i, b, e in zip(reach, image, begins, ends, strict=True)
    ]
    if padding == "symmetric":
        halves = [begin + (lack + 1) // 2 for begin, lack in zip(begins, lacking, strict=True)]
        return (*halves, *halves)
    return (*begins, *[end + lack for end, lack in zip(ends, lacking, strict=True)])


def _codes(choices: Choices) -> Fields:
    x_dtype, w_dtype = choices.pick(_TYPES)
    if choices.flag(10):
        x_dtype, w_dtype = "int8", "uint8"
    return {
        "x_dtype": x_dtype,
        "w_dtype": w_dtype,
        "x_zero_point": qparams.zero_point(choices, x_dtype),
        "x_float": choices.flag(4),
        "y_float": choices.flag(4),
    }


def _placement(choices: Choices) -> Fields:
    fields: Fields = {
        "activation": choices.pick(("none", "none", "Relu", "Clip")),
        "zero_points_written": not choices.flag(4),
    }
    extra = choices.pick(
        ("none", "none", "none", "none", "doubled", "shared", "missing", "y_dtype")
    )
    if extra == "doubled":
        fields["doubled"] = choices.pick(("x", "y"))
    elif extra == "shared":
        fields["shared"] = choices.pick(("output", "conv"))
    elif extra == "missing":
        fields["missing"] = choices.pick(("x", "w", "y"))
    elif extra == "y_dtype":
        fields["y_dtype"] = choices.pick(("uint8", "int8"))
    return fields


def _data(choices: Choices, style: str) -> Fields:
    seeks_ties = not choices.flag(3) and style in qparams.TIE_STYLES
    x_kinds, w_kinds = (_TIE_DATA, _TIE_DATA) if seeks_ties else (_X_DATA, _W_DATA)
    return {
        "x_kind": choices.pick(x_kinds),
        "x_seed": choices.integer(0, 65535),
        "x_offset": choices.pick(arrays.OFFSETS),
        "w_kind": choices.pick(w_kinds),
        "w_seed": choices.integer(0, 65535),
        "b_seed": choices.integer(0, 65535),
    }


def _quantization(choices: Choices, style: str, fields: Fields) -> Fields:
    """Input scales, weight parameters and the kind of bias."""
    qdq = fields["form"] == "QDQ"
    filters = fields.get("groups", 1) * fields.get("out_per_group", 1)
    one_scale = qdq and fields["opset"] < PER_AXIS_OPSET
    w_scale = qparams.input_scale(choices, style)
    w_scales: tuple[float, ...] = (w_scale,)
    if choices.flag() and not one_scale:
        w_scales = qparams.per_channel(choices, style, w_scale, filters)
    kinds = ("none", "int32", "int32", "int32", "extreme")
    return {
        "x_scale": qparams.input_scale(choices, style),
        "w_scales": w_scales,
        "w_zero_points": qparams.zero_points(choices, fields["w_dtype"], len(w_scales)),
        "bias": choices.pick((*kinds, "own-scale", "float") if qdq else kinds),
    }


def _output(choices: Choices, style: str, spec: ConvSpec) -> Fields:
    """What depends on the size of the accumulators: the output's scale, and real bounds."""
    size = typical_accumulator(spec) * (1.0 if spec.bias == "none" else 2.0)
    if spec.bias == "extreme" and choices.flag():
        size = 2.0**31
    fields: Fields = {}
    if spec.bias == "float" and choices.flag(3):
        fields["b"], size = beyond_int32(spec), 2.0**33
    product = spec.x_scale * max(spec.w_scales)
    y_scale = qparams.output_scale(choices, style, size, product)
    if spec.bias == "extreme" and choices.flag(6):
        y_scale = qparams.float32(product * choices.pick((1.0, 0.25)))  # beyond int32
    fields |= {
        "y_scale": y_scale,
        "y_zero_point": qparams.zero_point(choices, spec.y_codes),
    }
    if spec.activation == "Clip":
        fields["clip"] = _clip(choices, y_scale)
    if spec.bias == "own-scale":
        fields["bias_scales"] = _bias_scales(choices, spec)
    if spec.doubled != "none":
        inner = spec.x_scale if spec.doubled == "x" else y_scale
        fields["doubled_scale"] = qparams.float32(inner * choices.pick((1.0, 2.0, 0.75)))
    return fields


def _clip(choices: Choices, y_scale: float) -> tuple[float, float]:
    """Bounds that cut the output's range, on codes and between them; ReLU6's too."""
    if choices.flag(4):
        return (0.0, 6.0)
    high = qparams.float32(y_scale * choices.pick((64.0, 20.25, 10.5)))
    return (choices.pick((0.0, -high)), high)


def _bias_scales(choices: Choices, spec: ConvSpec) -> tuple[float, ...]:
    """Not x_scale * w_scale: by a factor for every channel, or one scale for all channels."""
    factor = choices.pick((0.5, 2.0, 0.01))
    count = len(spec.w_scales) if choices.flag() else 1
    return tuple(
        [qparams.float32(spec.x_scale * each * factor) for each in spec.w_scales[:count]]
    )
