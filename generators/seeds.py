"""The three reports that this project started from, as cases.

Each is small, deterministic and complete: the first entries of the corpus are made from here.
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Array, Case

OPSET = 13
IR_VERSION = 8


def depthwise_regression() -> Case:
    """The depthwise regression behind opencv/opencv pull request 28920.

    One QLinearConv, 16 groups of one channel, 3x3, padded, x zero point not zero; floats at both
    ends, as in OpenCV's own fixtures.
    """
    rng = np.random.default_rng(28920)
    scales = {"x": (0.0157, 18), "w": (0.0074, 0), "y": (0.0298, -9)}
    weight = rng.integers(-127, 128, (16, 1, 3, 3)).astype(np.int8)
    bias = rng.integers(-2000, 2000, 16).astype(np.int32)
    initializers = [*_all_qparams(scales), _tensor("w", weight), _tensor("b", bias)]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["qx"], "quantize"),
        helper.make_node(
            "QLinearConv",
            ["qx", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero", "b"],
            ["qy"],
            "conv",
            group=16,
            pads=[1, 1, 1, 1],
        ),
        helper.make_node("DequantizeLinear", ["qy", "y_scale", "y_zero"], ["y"], "dequantize"),
    ]
    x = rng.uniform(-1, 1, (1, 16, 10, 10)).astype(np.float32)
    model = _model(nodes, {"x": x.shape}, {"y": x.shape}, initializers)
    return Case(model, {"x": x}, origin="opencv pull request 28920")


LEVELS = ((8, 12), (16, 6), (32, 3))
ANCHORS = 10
PRIOR = -4.0
THRESHOLD = 0.05


def detector_head() -> Case:
    """A detector head in the manner of YuNet, the model of opencv/opencv issue 28798.

    For each of three strides, two depthwise int8 convolutions (3x3, one kernel a channel) give cls
    and obj logits; the score of a box is sigmoid(cls) * sigmoid(obj). The data has one strong
    object per stride, so boxes pass ``THRESHOLD`` exactly when the six convolutions are right.
    """
    nodes: list[onnx.NodeProto] = []
    initializers = [_tensor("prior", np.float32(PRIOR))]
    inputs: dict[str, Array] = {}
    outputs: dict[str, tuple[int, ...]] = {}
    for stride, size in LEVELS:
        feature = np.full((1, ANCHORS, size, size), -0.2, np.float32)
        feature[0, 3, size // 2, size // 2] = 6.0
        inputs[f"feature{stride}"] = feature
        for branch in ("cls", "obj"):
            part, constants = _head_branch(f"{branch}{stride}", f"feature{stride}")
            nodes += part
            initializers += constants
        score = [f"cls{stride}_probability", f"obj{stride}_probability"]
        nodes.append(helper.make_node("Mul", score, [f"score{stride}"], f"score{stride}"))
        outputs[f"score{stride}"] = feature.shape
    shapes = {name: array.shape for name, array in inputs.items()}
    model = _model(nodes, shapes, outputs, initializers)
    return Case(model, inputs, origin="opencv issue 28798")


def _head_branch(
    name: str, feature: str
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """DQ(Q(feature)), DQ(w) -> Conv -> Q -> DQ -> + prior -> Sigmoid."""
    weight = np.full((ANCHORS, 1, 3, 3), 6, np.int8)
    weight[:, :, 1, 1] = 120
    scales = {f"{name}_x": (0.25, 100), f"{name}_w": (0.01, 0), f"{name}_y": (0.06, -90)}
    constants = [*_all_qparams(scales), _tensor(f"{name}_weight", weight)]
    x, w, y = ([f"{name}_{each}_scale", f"{name}_{each}_zero"] for each in "xwy")
    make = helper.make_node
    return [
        make("QuantizeLinear", [feature, *x], [f"{name}_qx"], f"{name}_quantize"),
        make("DequantizeLinear", [f"{name}_qx", *x], [f"{name}_dx"], f"{name}_dequantize_x"),
        make(
            "DequantizeLinear", [f"{name}_weight", *w], [f"{name}_dw"], f"{name}_dequantize_w"
        ),
        make(
            "Conv",
            [f"{name}_dx", f"{name}_dw"],
            [f"{name}_conv"],
            f"{name}_conv",
            group=ANCHORS,
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        ),
        make("QuantizeLinear", [f"{name}_conv", *y], [f"{name}_qy"], f"{name}_requantize"),
        make("DequantizeLinear", [f"{name}_qy", *y], [f"{name}_dy"], f"{name}_dequantize_y"),
        make("Add", [f"{name}_dy", "prior"], [f"{name}_logit"], f"{name}_logit"),
        make("Sigmoid", [f"{name}_logit"], [f"{name}_probability"], f"{name}_sigmoid"),
    ], constants


def forum_convolution() -> Case:
    """The PyTorch against Caffe2 forum case: Conv 3 -> 32, 5x5, stride 2, pad 1, all weights 0.01.

    Every weight code is 127, so that sums of two neighbouring products leave int16 as soon as the
    activations are near the top of their range. Normal input, 8 bit, zero point 127.
    """
    x_scale = 8 / 255
    x = np.random.default_rng(44939).normal(0, 1, (1, 3, 32, 32)) / x_scale + 127
    qx = np.clip(np.rint(x), 0, 255).astype(np.uint8)
    weight = np.full((32, 3, 5, 5), 127, np.int8)
    initializers = [
        _tensor("w", weight),
        *_qparams("x", x_scale, 127, np.uint8),
        *_qparams("w", 0.01 / 127, 0, np.int8),
        *_qparams("y", 0.6 / 255, 127, np.uint8),
    ]
    node = helper.make_node(
        "QLinearConv",
        ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"],
        ["y"],
        "conv",
        strides=[2, 2],
        pads=[1, 1, 1, 1],
    )
    model = _model(
        [node], {"x": qx.shape}, {"y": (1, 32, 15, 15)}, initializers, TensorProto.UINT8
    )
    return Case(model, {"x": qx}, origin="pytorch issue 44939")


SEEDS: Mapping[str, Callable[[], Case]] = {
    "depthwise_regression": depthwise_regression,
    "detector_head": detector_head,
    "forum_convolution": forum_convolution,
}


def _tensor(name: str, array: Array | np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def _qparams(name: str, scale: float, zero: int, dtype: type) -> list[onnx.TensorProto]:
    return [
        _tensor(f"{name}_scale", np.float32(scale)),
        _tensor(f"{name}_zero", np.array(zero, dtype)),
    ]


def _all_qparams(scales: Mapping[str, tuple[float, int]]) -> list[onnx.TensorProto]:
    return [
        each
        for name, (scale, zero) in scales.items()
        for each in _qparams(name, scale, zero, np.int8)
    ]


def _model(
    nodes: list[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, ...]],
    outputs: Mapping[str, tuple[int, ...]],
    initializers: list[onnx.TensorProto],
    element: int = TensorProto.FLOAT,
) -> bytes:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "seed",
        [info(name, element, shape) for name, shape in inputs.items()],
        [info(name, element, shape) for name, shape in outputs.items()],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name = ""
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
