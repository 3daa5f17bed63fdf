"""For each fault of where convolutions read and what they leave out: a model it shows on, and a decoy."""

from typing import Any

import numpy as np
import onnx

from tests.engine.models import Array, qlinear_conv


def weights(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).integers(-128, 128, shape).astype(np.int8)


def conv(w: Array, **given: Any) -> onnx.ModelProto:
    return qlinear_conv(w, **{"y": (0.2, 100)} | given)


DENSE, DEPTHWISE, POINTWISE = weights(8, 8, 3, 3), weights(8, 1, 3, 3), weights(8, 8, 1, 1)
SIGNED: dict[str, Any] = {"x_dtype": np.int8, "y_dtype": np.int8, "y": (0.2, 0)}

GEOMETRY = {
    "F03": (conv(weights(24, 2, 1, 1), groups=2), conv(weights(32, 2, 1, 1), groups=2)),
    "F04": (conv(DEPTHWISE, groups=8, y=(0.07, 100)), conv(DENSE)),
    "F07": (conv(POINTWISE, image=(5, 5)), conv(POINTWISE, image=(4, 6))),
    "F07.channels": (conv(weights(24, 2, 1, 1)), conv(weights(16, 2, 1, 1))),
    "F08": (conv(POINTWISE, image=(5, 5)), conv(POINTWISE, image=(4, 6))),
    "F10a": (conv(weights(8, 6, 3, 3)), conv(DENSE)),
    "F10b": (conv(DENSE, batch=2), conv(DENSE)),
    "F13": (
        conv(DENSE, x=(0.02, -5), pads=[1, 1, 1, 1], **SIGNED),
        conv(DENSE, x=(0.02, 5), pads=[1, 1, 1, 1], **SIGNED),
    ),
    "F15": (conv(DENSE, pads=[0, 0, 1, 1]), conv(DENSE, pads=[1, 1, 0, 0])),
    "F17": (conv(DENSE, strides=[1, 2]), conv(DENSE, strides=[2, 2])),
    "F18": (conv(DENSE, dilations=[1, 2]), conv(DENSE, dilations=[2, 2])),
    "F20": (conv(DENSE, pads=[1, 0, 1, 0]), conv(DENSE, pads=[1, 1, 0, 0])),
    "F20.pairs": (conv(DENSE, pads=[1, 1, 0, 0]), conv(DENSE, auto_pad="SAME_UPPER")),
    "F21": (conv(DENSE, pads=[1, 1, 1, 1]), conv(DENSE, pads=[1, 0, 1, 0])),
    "F162": (conv(POINTWISE, pads=[1, 1, 1, 1]), conv(POINTWISE, pads=[1, 1, 1, 0])),
    "F171": (
        conv(POINTWISE, image=(6, 6), strides=[2, 2], pads=[1, 1, 0, 0]),
        conv(POINTWISE, image=(6, 6), strides=[2, 2], pads=[0, 0, 1, 1]),
    ),
    "F176": (
        conv(weights(8, 8, 1, 1, 1), image=(8, 2, 2), w_scale=np.linspace(0.01, 0.08, 8)),
        conv(POINTWISE, image=(8, 2), w_scale=np.linspace(0.01, 0.08, 8)),
    ),
    "F171.size": (
        conv(POINTWISE, image=(6, 6), strides=[2, 2], pads=[1, 1, 1, 1]),
        conv(POINTWISE, image=(6, 6), pads=[1, 1, 1, 1]),
    ),
    "F79e": (conv(DENSE), conv(DENSE, strides=[2, 2])),
    "F79e.weights": (conv(DENSE), conv(DENSE // np.int8(16))),
    "F79e.f43": (conv(DENSE), conv(DENSE // np.int8(4))),
    "F79f": (conv(DENSE, dilations=[2, 2]), conv(POINTWISE, dilations=[2, 2])),
    "F79f.stride": (conv(DENSE, strides=[2, 2]), conv(POINTWISE, strides=[2, 2])),
    "F79f.groups": (
        conv(weights(16, 4, 3, 3), groups=2),
        conv(weights(16, 4, 3, 3), groups=2, strides=[1, 2]),
    ),
}
