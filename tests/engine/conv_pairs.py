"""For each fault of convolutions a case on which it shows, and a decoy on which it must not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from tests.engine.arithmetic_pairs import ARITHMETIC
from tests.engine.cases import Array
from tests.engine.geometry_pairs import GEOMETRY
from tests.engine.models import qdq_conv, qlinear_conv


@dataclass(frozen=True)
class Pair:
    """A case on which the fault shows, and a decoy on which it must not."""

    shows: onnx.ModelProto
    decoy: onnx.ModelProto


def codes(*shape: int, dtype: Any = np.int8) -> Array:
    info = np.iinfo(dtype)
    r = np.random.default_rng(sum(shape))
    return r.integers(info.min, info.max + 1, shape).astype(dtype)


DENSE, DEPTHWISE = codes(8, 8, 3, 3), codes(8, 1, 3, 3)
DEEP = codes(8, 2, 3, 2, 2)
NEAR_2_31 = np.full(8, 2**31 - 130)
FEW = (codes(8, 1, 1, 1) // 16).astype(np.int8)
SMALL = (codes(8, 8, 3, 3) // 2).astype(np.int8)
WIDE: dict[str, Any] = {"y": (0.2, 100)}
PADS: dict[str, Any] = {"pads": [1, 1, 1, 1]}
UNSIGNED = codes(8, 8, 3, 3, dtype=np.uint8)
ZERO_POINTS = np.arange(8) + 124
PER_CHANNEL = np.linspace(0.01, 0.1, 8)

PAIRS = {
    "F01": Pair(
        qlinear_conv(codes(24, 2, 1, 1), groups=2, y=(0.03, 100)),
        qlinear_conv(codes(32, 2, 1, 1), groups=2, y=(0.03, 100)),
    ),
    "F02": Pair(
        qlinear_conv(codes(24, 2, 1, 1), groups=2, y=(0.03, 100)),
        qlinear_conv(codes(8, 2, 1, 1), groups=2, y=(0.03, 100)),
    ),
    "F11": Pair(
        qlinear_conv(DENSE, **WIDE, **PADS), qlinear_conv(DENSE, x=(0.02, 0), **WIDE, **PADS)
    ),
    "F11.tail": Pair(
        qlinear_conv(DEPTHWISE, groups=8, image=(5, 5), **PADS, y=(0.07, 100)),
        qlinear_conv(DEPTHWISE, groups=8, image=(4, 6), **PADS, y=(0.07, 100)),
    ),
    "F12": Pair(qlinear_conv(DENSE, **WIDE, **PADS), qlinear_conv(DENSE, **WIDE)),
    "F158": Pair(
        qlinear_conv(DEEP, groups=4, image=(3, 4, 4), **WIDE, pads=[1] * 6),
        qlinear_conv(DEEP, groups=4, image=(3, 4, 4), x=(0.02, 0), **WIDE, pads=[1] * 6),
    ),
    "F14": Pair(
        qlinear_conv(DENSE, **WIDE, pads=[1, 0, 0, 1]), qlinear_conv(DENSE, **WIDE, **PADS)
    ),
    "F16": Pair(
        qlinear_conv(DENSE, **WIDE, auto_pad="SAME_UPPER", strides=[2, 1]),
        qlinear_conv(DENSE, **WIDE, auto_pad="SAME_UPPER"),
    ),
    "F16.side": Pair(
        qlinear_conv(DENSE, **WIDE, auto_pad="SAME_LOWER", strides=[2, 1]),
        qlinear_conv(DENSE, **WIDE, pads=[1, 0, 0, 1]),
    ),
    "F25": Pair(
        qlinear_conv(DENSE, x=(0.02, 77), **WIDE), qlinear_conv(DENSE, x=(0.02, 0), **WIDE)
    ),
    "F26": Pair(qlinear_conv(DENSE, w_zero=30, **WIDE), qlinear_conv(DENSE, **WIDE)),
    "F19": Pair(qlinear_conv(DENSE, **WIDE), qlinear_conv(codes(8, 8, 1, 1), **WIDE)),
    "F28": Pair(
        qlinear_conv(UNSIGNED, w_zero=ZERO_POINTS, **WIDE),
        qlinear_conv(UNSIGNED, w_zero=np.full(8, 128), **WIDE),
    ),
    "F29": Pair(
        qlinear_conv(UNSIGNED, w_zero=ZERO_POINTS, **WIDE),
        qlinear_conv(UNSIGNED, w_zero=np.full(8, 128), **WIDE),
    ),
    "F33": Pair(qlinear_conv(DENSE, **WIDE), qlinear_conv(np.abs(SMALL), **WIDE)),
    "F140": Pair(
        qlinear_conv(DENSE, x=(0.02, 0), x_dtype=np.int8, **WIDE),
        qlinear_conv(DENSE, x=(0.02, 0), **WIDE),
    ),
    "F146": Pair(qlinear_conv(UNSIGNED, w_zero=128, **WIDE), qlinear_conv(UNSIGNED, **WIDE)),
    "F141": Pair(
        qlinear_conv(DENSE, w_scale=PER_CHANNEL, y=(1.0, 100)),
        qlinear_conv(codes(8, 2, 3, 3), groups=2, w_scale=PER_CHANNEL, y=(0.5, 100)),
    ),
    "F34": Pair(
        qlinear_conv(UNSIGNED, w_zero=128, **WIDE),
        qlinear_conv(UNSIGNED // 2, w_zero=128, **WIDE),
    ),
    "F50": Pair(
        qlinear_conv(DENSE, w_scale=PER_CHANNEL, y=(1.0, 100)),
        qlinear_conv(DENSE, w_scale=np.full(8, 0.1), y=(1.0, 100)),
    ),
    "F51": Pair(
        qlinear_conv(codes(8, 2, 3, 3), groups=2, w_scale=PER_CHANNEL, y=(0.5, 100)),
        qlinear_conv(DENSE, w_scale=PER_CHANNEL, y=(1.0, 100)),
    ),
    "F52": Pair(
        qlinear_conv(DENSE, w_scale=PER_CHANNEL, y=(1.0, 100)),
        qlinear_conv(DENSE, w_scale=np.full(8, 0.1), y=(1.0, 100)),
    ),
    "F52.block": Pair(
        qlinear_conv(codes(16, 8, 3, 3), w_scale=np.linspace(0.01, 0.1, 16), y=(1.0, 100)),
        qlinear_conv(codes(16, 8, 3, 3), w_scale=np.repeat([0.01, 0.1], 8), y=(1.0, 100)),
    ),
    "F122.weights": Pair(qlinear_conv(SMALL, **WIDE), qlinear_conv(UNSIGNED, **WIDE)),
    "F60": Pair(
        qdq_conv(DENSE, bias=np.full(8, 9999), bias_scale=0.01, y=(1.0, 9)),
        qdq_conv(DENSE, bias=np.full(8, 9999), y=(1.0, 9)),
    ),
    "F75": Pair(
        qlinear_conv(FEW, groups=8, x=(0.5, 3), w_scale=0.5, y=(2.0, 101)),
        qlinear_conv(FEW, groups=8, x=(0.5, 3), w_scale=0.5, y=(2.0, 100)),
    ),
    "F76": Pair(
        qlinear_conv(DENSE, x=(1e5, 3), w_scale=1e5, y=(1.0, 100)),
        qlinear_conv(DENSE, x=(1.0, 3), w_scale=1.0, y=(1.0, 100)),
    ),
    "F76.zero": Pair(
        qlinear_conv(0 * DENSE, bias=NEAR_2_31, x=(1.0, 3), w_scale=1.0, y=(1.0, 100)),
        qlinear_conv(0 * DENSE, bias=NEAR_2_31, x=(1.0, 3), w_scale=1.0, y=(1.0, 60)),
    ),
    "F79a": Pair(qlinear_conv(DENSE, **WIDE), qlinear_conv(SMALL, **WIDE)),
    "F79a.depthwise": Pair(
        qlinear_conv(DEPTHWISE, groups=8, y=(0.07, 100)), qlinear_conv(DENSE, **WIDE)
    ),
} | {key: Pair(*models) for key, models in {**GEOMETRY, **ARITHMETIC}.items()}
