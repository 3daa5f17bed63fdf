"""Specs that differ from a plain one in one way each, so that every part of a model appears."""

from dataclasses import replace
from typing import Any

from generators.operators.conv import ConvSpec, problem

_BASE = ConvSpec(
    groups=2,
    in_per_group=2,
    out_per_group=3,
    image=(4, 5),
    kernel=(3, 2),
    pads=(1, 0, 2, 1),
    x_zero_point=7,
    y_zero_point=3,
    y_scale=1000.0,
    x_kind="random",
    w_kind="random",
)
_CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"opset": 10},
    {"opset": 26},
    {"image": (4,), "kernel": (3,), "strides": (2,), "dilations": (1,), "pads": (0, 1)},
    {
        "image": (2,) * 3,
        "kernel": (2,) * 3,
        "strides": (1,) * 3,
        "dilations": (1,) * 3,
        "pads": (1,) * 6,
    },
    {"strides": (2, 1), "dilations": (1, 2)},
    {"auto_pad": "SAME_UPPER", "pads": (0,) * 4, "strides": (2, 2)},
    {"auto_pad": "VALID", "pads": (0,) * 4},
    {"bias": "int32"},
    {"bias": "extreme"},
    {"bias": "own-scale", "bias_scales": (0.5,)},
    {"bias": "float"},
    {"activation": "Relu"},
    {"activation": "Clip"},
    {"activation": "Clip", "opset": 10},
    {"x_float": True, "x_offset": "half"},
    {"y_float": True},
    {"doubled": "x", "doubled_scale": 2.0},
    {"doubled": "x", "doubled_scale": 2.0, "x_float": True},
    {"doubled": "y", "doubled_scale": 1000.0},
    {"doubled": "y", "doubled_scale": 500.0, "y_float": True},
    {"shared": "output"},
    {"shared": "conv"},
    {"missing": "x"},
    {"missing": "w"},
    {"missing": "y"},
    {"missing": "y", "activation": "Relu"},
    {"y_dtype": "int8"},
    {"zero_points_written": False, "x_zero_point": 0, "y_zero_point": 0},
    {
        "zero_points_written": False,
        "x_zero_point": 0,
        "y_zero_point": 0,
        "x_dtype": "int8",
        "w_dtype": "int8",
        "opset": 21,
    },
    {"w_scales": (1.0, 2.0, 3.0) * 2, "w_zero_points": (1, 2, 3) * 2, "bias": "int32"},
    {"w_scales": (1.0, 2.0, 3.0) * 2},
)
_ALL = tuple(
    replace(_BASE, form=form, **each) for form in ("QLinearConv", "QDQ") for each in _CHANGES
)
VARIANTS = tuple(
    spec
    for spec in _ALL
    # Two forms of the output's codes are a matter of Q/DQ only: onnxruntime has no such QLinearConv.
    if not problem(spec) and (spec.form == "QDQ" or not spec.y_dtype)
)
