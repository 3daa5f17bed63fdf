"""The profiles by name."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from engine.errors import EngineError
from engine.profiles.elementwise_engines import ONNXRUNTIME, OPENCV, QNNPACK, TORCH
from engine.profiles.fixed_point import (
    quantize_half_away,
    requantize_in_fixed_point,
    tflite,
    tflite_single_rounding,
    xnnpack_rndnu,
)
from engine.profiles.matmul import (
    fbgemm_reals,
    onednn_linear,
    onednn_reals,
    onnxruntime_reals,
    opencv_matmul,
    qnnpack_reals,
    with_alpha,
)
from engine.profiles.matmul_dynamic import fbgemm_activation, onednn_activation
from engine.profiles.pooling import (
    aten,
    onnxruntime_plane,
    onnxruntime_window,
    opencv_mean,
    qnnpack_mean,
)
from engine.profiles.profile import Profile
from engine.profiles.quantization import (
    SecondPath,
    clip_the_reciprocal,
    convert_then_add,
    divide,
    float8_of_onnxruntime,
    multiply_by_reciprocal,
    range_with_unit_scale,
    requantize_in_float,
    scalars_of_onnxruntime,
    torch_quantize,
    vectors_of_opencv,
)
from engine.profiles.requantization import (
    exact,
    fbgemm,
    onednn,
    onnxruntime,
    opencv,
    qnnpack,
)
from engine.profiles.residual import exact_residual

_ALL = (
    Profile(
        "spec",
        "exact real value, one rounding",
        exact,
        exact,
        True,
        divide,
        residual=exact_residual,
    ),
    Profile(
        "ort",
        "onnxruntime on x86",
        onnxruntime,
        with_alpha(onnxruntime),
        True,
        divide,
        matmul_to_reals=onnxruntime_reals,
        second_path=SecondPath(convert_then_add, scalars_of_onnxruntime),
        half_in_float32=True,
        float_codes=float8_of_onnxruntime,
        dynamic_range=range_with_unit_scale,
        requantize=requantize_in_float,
        average_window=onnxruntime_window,
        average_plane=onnxruntime_plane,
        elementwise=ONNXRUNTIME,
    ),
    Profile(
        "fbgemm",
        "torch, engine fbgemm",
        fbgemm,
        with_alpha(fbgemm),
        False,
        divide,
        matmul_to_reals=fbgemm_reals,
        matmul_activation=fbgemm_activation,
        requantize=requantize_in_float,
        average_window=aten,
        average_plane=aten,
        elementwise=TORCH,
    ),
    Profile(
        "qnnpack",
        "torch, engine qnnpack",
        qnnpack,
        with_alpha(qnnpack),
        False,
        divide,
        matmul_to_reals=qnnpack_reals,
        matmul_activation=fbgemm_activation,
        requantize=requantize_in_float,
        average_window=qnnpack_mean,
        average_plane=qnnpack_mean,
        elementwise=QNNPACK,
    ),
    Profile(
        "onednn",
        "torch, engine onednn",
        onednn,
        with_alpha(onednn_linear),
        False,
        divide,
        matmul_to_reals=onednn_reals,
        matmul_activation=onednn_activation,
        requantize=requantize_in_float,
        average_window=aten,
        average_plane=aten,
        elementwise=TORCH,
    ),
    Profile(
        "opencv",
        "OpenCV 5 on x86",
        opencv,
        with_alpha(opencv_matmul),
        False,
        multiply_by_reciprocal,
        second_path=SecondPath(clip_the_reciprocal, vectors_of_opencv),
        requantize=requantize_in_float,
        average_window=opencv_mean,
        average_plane=opencv_mean,
        elementwise=OPENCV,
    ),
    Profile(
        "tflite",
        "TFLite reference kernels: fixed point, two roundings",
        tflite,
        tflite,
        True,
        quantize_half_away,
        requantize=requantize_in_fixed_point,
    ),
    Profile(
        "tflite-single",
        "TFLite built with single rounding",
        tflite_single_rounding,
        tflite_single_rounding,
        True,
        quantize_half_away,
        requantize=requantize_in_fixed_point,
    ),
    Profile(
        "xnnpack",
        "XNNPACK rndnu: one rounding, ties up",
        xnnpack_rndnu,
        xnnpack_rndnu,
        True,
        divide,
        requantize=requantize_in_float,
    ),
)

_FBGEMM = next(each for each in _ALL if each.name == "fbgemm")
_TORCH = replace(
    _FBGEMM,
    name="torch",
    title="torch, engine fbgemm; reals through torch.quantize_per_tensor and _per_channel",
    quantize=torch_quantize,
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {each.name: each for each in (*_ALL, _TORCH)}
)


def find_profile(name: str) -> Profile:
    """The profile of that name; EngineError listing all names otherwise."""
    if name not in PROFILES:
        raise EngineError(f"profile {name!r} is unknown; known: {', '.join(PROFILES)}")
    return PROFILES[name]
