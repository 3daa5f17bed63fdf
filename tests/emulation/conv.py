"""Convolutions: what each engine makes of one, against our engine in its profile.

Activations have 7 bits, so that kernels without VNNI do not saturate their int16 pairs; the rows
"full range" have 8, and there the fault F79a says what differs.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import helper

from engine import Session
from engine.profiles.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from tests.emulation.check import Check
from tests.engine.cases import draw
from tests.engine.models import Array, graph_model
from tests.engine.runtimes import Run, onnxruntime_run, opencv_run, torch_run

Made = Iterator[tuple[Array, Array]]
PLAIN, GROUPED = {"groups": (1,)}, {"groups": (2, 3, 8)}
DEPTHWISE: dict[str, Any] = {"groups": (4, 8, 16), "sizes": (1,)}
# fbgemm reads past the last of an odd number of groups of 4 to 4 channels
TORCH_SIZES = (1, 2, 3, 5, 8)


def _pairs(
    runner: Callable[[], Run], profile: str, options: dict[str, Any], r: np.random.Generator
) -> Made:
    run = runner()
    while True:
        case = draw(r, **options)
        ours = Session(case.model, profile=profile).run({"x": case.x})["y"]
        yield ours, run(case.model, case.x)


def _saturating(
    runner: Callable[[], Run], profile: str, fault: str, r: np.random.Generator
) -> Made:
    """Exact, or (all elements) what the saturating kernel gives: which one the CPU decides."""
    run = runner()
    while True:
        case = draw(r, x_bits=8, groups=(1,))
        theirs = run(case.model, case.x)
        ours = Session(case.model, profile=profile).run({"x": case.x})["y"]
        if (ours != theirs).any():
            ours = Session(case.model, profile=profile, faults=[fault]).run({"x": case.x})["y"]
        yield ours, theirs


def _conv_integer(r: np.random.Generator) -> Made:
    run = onnxruntime_run()
    while True:
        model, x = _drawn_conv_integer(r)
        yield Session(model).run({"x": x})["y"], run(model, x)


def _drawn_conv_integer(r: np.random.Generator) -> tuple[onnx.ModelProto, Array]:
    groups, inner, outer, kernel = (
        int(r.choice(each)) for each in ((1, 2, 4), (1, 2, 5), (1, 3), (1, 3))
    )
    x_shape = (2, groups * inner, int(r.integers(3, 9)), int(r.integers(3, 9)))
    x = r.integers(0, 128, x_shape).astype(np.uint8)
    w = r.integers(0, 256, (groups * outer, inner, kernel, kernel)).astype(np.uint8)
    constants = {
        "w": w,
        "xz": np.array(r.integers(0, 256), np.uint8),
        "wz": np.array(r.integers(0, 256), np.uint8),
    }
    node = helper.make_node(
        "ConvInteger", ["x", *constants], ["y"], pads=[kernel // 2] * 4, group=groups
    )
    return graph_model([node], {"x": (np.uint8, list(x_shape))}, {"y": np.int32}, constants), x


def _fixed_point(r: np.random.Generator) -> Made:
    """TFLite has no wheel here: its integer definition in Python's unbounded integers."""
    while True:
        real = float(np.exp(r.uniform(-12, 0.5)))
        mantissa, shift = quantize_multiplier(real)
        acc = r.integers(-(2**31) >> max(shift, 0), 2**31 >> max(shift, 0), 2000)
        ours = multiply_by_quantized_multiplier(acc.astype(np.int32), mantissa, shift)
        theirs = [_by_definition(int(each), mantissa, shift) for each in acc]
        yield ours.astype(np.int64), np.array(theirs, np.int64)


def _by_definition(acc: int, mantissa: int, shift: int) -> int:
    """Doubling high product, ties up; then a division by a power of two, ties away from zero."""
    shifted = acc << max(shift, 0)
    high = (2 * shifted * mantissa + (1 << 31)) >> 32
    exponent = max(-shift, 0)
    whole, rest = abs(high) >> exponent, abs(high) & ((1 << exponent) - 1)
    rounded = whole + (exponent > 0 and rest >= 1 << (exponent - 1))
    return rounded if high >= 0 else -rounded


def _check(
    profile: str,
    words: str,
    runner: Callable[[], Run],
    needs: str,
    cause: str = "",
    **options: Any,
) -> Check:
    pairs = partial(_pairs, runner, profile, options)
    return Check(profile, f"QLinearConv {words}", pairs, needs, cause)


QNNPACK_3D = "one step beside ties; its 3-D kernel's order of operations is not known"
ONEDNN_1X1 = "one step beside ties in 1x1 kernels; which of its kernels runs is not known"
CAUSES = {
    "qnnpack depthwise 3-D": QNNPACK_3D,
    "onednn depthwise": ONEDNN_1X1,
    "onednn depthwise 3-D": ONEDNN_1X1,
}


def _torch(engine: str) -> Iterator[Check]:
    runner = partial(torch_run, engine)
    for words, options in (
        ("plain", PLAIN),
        ("grouped", GROUPED),
        ("depthwise", DEPTHWISE | {"ranks": (1, 2)}),
        ("depthwise 3-D", DEPTHWISE | {"ranks": (3,)}),
    ):
        sizes = {"sizes": TORCH_SIZES} | options
        yield _check(
            engine, words, runner, "torch", CAUSES.get(f"{engine} {words}", ""), **sizes
        )


CHECKS: tuple[Check, ...] = (
    *(
        _check(
            "ort",
            f"{words} {np.dtype(dtype)}",
            onnxruntime_run,
            "onnxruntime",
            x_dtype=dtype,
            **options,
        )
        for dtype in (np.uint8, np.int8)
        for words, options in (
            ("plain", PLAIN),
            ("grouped", GROUPED),
            ("depthwise", DEPTHWISE),
        )
    ),
    Check(
        "ort",
        "QLinearConv full range, exact or F79a",
        partial(_saturating, onnxruntime_run, "ort", "F79a.dense"),
        "onnxruntime",
    ),
    Check("ort", "ConvInteger", _conv_integer, "onnxruntime"),
    *(check for engine in ("fbgemm", "qnnpack", "onednn") for check in _torch(engine)),
    *(
        # one group: on others OpenCV 5.0 has faults of its own (F01, F11.tail) or does not fuse
        _check(
            "opencv",
            f"plain {np.dtype(dtype)}",
            opencv_run,
            "cv2",
            x_dtype=dtype,
            groups=(1,),
            ranks=(2,),
            sizes=(3, 8, 9, 16),
        )
        for dtype in (np.uint8, np.int8)
    ),
    Check("tflite", "MultiplyByQuantizedMultiplier", _fixed_point, "numpy"),
)
