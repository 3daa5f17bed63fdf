"""For each fault of how convolutions compute: a model it shows on, and a decoy."""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.engine.geometry_pairs import DENSE, SIGNED, conv, weights
from tests.engine.models import qdq_conv, qlinear_conv

UNSIGNED = DENSE.view(np.uint8)
SMALL = (weights(8, 1, 1, 1) // 16).astype(np.int8)
TIES: dict[str, Any] = {"groups": 8, "x": (0.5, 3), "w_scale": 0.5, "y": (2.0, 100)}
WHOLE: dict[str, Any] = {"x": (2.0, 3), "w_scale": 2.0, "y": (1.0, 100)}
BIAS = np.arange(8) * 777 + 300
PER_CHANNEL = np.linspace(0.01, 0.1, 8)
INT8: dict[str, Any] = {"x_dtype": np.int8, "y_dtype": np.int8}


def relu(y: tuple[float, int], **given: Any) -> onnx.ModelProto:
    return qdq_conv(DENSE, activation="Relu", y=y, **given)


def clip(y: tuple[float, int], low: float, high: float, **given: Any) -> onnx.ModelProto:
    return qdq_conv(DENSE, activation="Clip", bounds=(low, high), y=y, **given)


def with_table(z: tuple[float, int], op: str = "Sigmoid", **given: Any) -> onnx.ModelProto:
    """The codes of a convolution, (0.05, 100), go through ``op``; those of ``y`` are z's."""
    model = qlinear_conv(given.pop("w", DENSE // 16), y=(0.05, 100), **given)
    model.graph.node[0].output[0] = "u"
    constants = {"zs": np.float32(z[0]), "zz": np.uint8(z[1])}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()
    )
    names = ["u", "ys", "yz", *constants]
    model.graph.node.append(
        helper.make_node(f"QLinear{op}", names, ["y"], name="t", domain="com.microsoft")
    )
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


ARITHMETIC = {
    "F27": (
        conv(UNSIGNED, w_zero=128, x=(0.02, 60)),
        conv(UNSIGNED, w_zero=128, x=(0.02, 0)),
    ),
    "F30": (conv(DENSE, **SIGNED), conv(DENSE)),
    "F31": (conv(DENSE, x=(0.02, 60), **SIGNED), conv(DENSE, x=(0.02, 0), **SIGNED)),
    "F35": (conv(DENSE), conv(DENSE, **SIGNED)),
    "F53": (
        conv(weights(16, 1, 3, 3), groups=8, w_scale=np.linspace(0.1, 1, 16)),
        conv(weights(16, 1, 3, 3), groups=8, w_scale=np.full(16, 0.1)),
    ),
    "F53.modulo": (
        conv(weights(16, 1, 3, 3), groups=8, w_scale=np.linspace(0.1, 1, 16)),
        conv(weights(16, 2, 3, 3), groups=8, w_scale=np.linspace(0.1, 1, 16)),
    ),
    "F60a": (conv(DENSE), conv(DENSE, y=(1e5, 100))),
    "F60a.halved": (conv(DENSE), conv(DENSE, y=(1e5, 100))),
    "F60b": (conv(SMALL // 2, groups=8, x=(2.0, 3), w_scale=1.0, y=(1.0, 100)), conv(DENSE)),
    "F54": (conv(DENSE), conv(DENSE, x=(1.0, 3), w_scale=1.0, y=(1.0, 100))),
    "F64": (
        conv(weights(9, 8, 3, 3), bias=np.arange(9) * 777 + 300),
        conv(DENSE, bias=BIAS),
    ),
    "F65": (
        conv(weights(8, 2, 3, 3), groups=2, bias=BIAS),
        conv(DENSE, bias=BIAS),
    ),
    "F168": (
        conv(SMALL * 0, groups=8, bias=np.full(8, 2**31 - 20)),
        conv(SMALL * 0, groups=8, bias=np.full(8, 2**24)),
    ),
    "F67": (
        conv(DENSE, bias=BIAS, w_scale=PER_CHANNEL, y=(1.0, 100)),
        conv(DENSE, bias=BIAS),
    ),
    "F152": (
        conv(DENSE, bias=BIAS * 300_007, w_zero=1, y=(1e-4, 5)),
        conv(DENSE, bias=BIAS * 300_007, y=(1e-4, 5)),
    ),
    "F152.stored": (
        conv(DENSE[:1], bias=np.array([2**30]), y=(0.01, 5)),
        conv(DENSE[:2], bias=np.array([2**30, 0]), y=(0.01, 5)),
    ),
    "F61": (conv(DENSE, bias=BIAS), conv(DENSE, bias=BIAS * 0)),
    "F80": (
        relu((0.2, 20), **INT8, x=(0.02, 3)),
        relu((0.2, 0), **INT8, x=(0.02, 3)),
    ),
    "F80b": (relu((0.2, 20), x=(0.02, 60)), relu((0.2, 20), x=(0.02, 0))),
    "F83": (clip((0.2, 100), 0.0, 6.0), clip((1.0, 0), 0.0, 6.0)),
    "F84": (clip((0.2, 100), 0.0, 6.0), clip((0.25, 20), 0.0, 2.0, x=(0.25, 20))),
    "F75.clip": (clip((4.0, 101), 0.0, 6.0), clip((4.0, 100), 0.0, 6.0)),
    "F86f": (clip((0.2, 100), 0.0, 6.0), clip((1.0, 100), 0.0, 6.0)),
    "F36": (conv(DENSE, y_dtype=np.int8, y=(0.2, 9)), conv(DENSE)),
    "F38": (conv(DENSE, y=(0.05, 100)), conv(DENSE, y=(90.0, 100))),
    "F169": (
        conv(weights(8, 2, 3, 3), groups=2, x=(1.0, 3), w_scale=1.0, y=(1.0, 100)),
        conv(weights(8, 2, 3, 3), groups=2),
    ),
    "F130": (with_table((0.005, 7)), with_table((0.005, 100))),
    "F74": (conv(DENSE, y=(0.05, 100)), conv(DENSE, y=(0.05, 0))),
    "F70": (conv(SMALL, **TIES), conv(SMALL, **TIES | {"x": (0.3, 3)})),
    "F71": (conv(SMALL, **TIES), conv(SMALL, **TIES | {"x": (0.3, 3)})),
    "F72": (conv(DENSE), conv(DENSE, **WHOLE)),
    "F73a": (conv(DENSE), conv(DENSE, **WHOLE)),
    "F77": (conv(SMALL, **TIES), conv(DENSE, **WHOLE)),
    "F79b": (conv(DENSE), conv(np.sign(DENSE))),
}
