"""The installed engines, as functions of a one-node QLinearConv; skipped by name where absent."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper, numpy_helper, shape_inference

Array = npt.NDArray[Any]
Run = Callable[[onnx.ModelProto, Array], Array]


def onnxruntime_run(optimized: bool = False) -> Run:
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

    def run(model: onnx.ModelProto, x: Array) -> Array:
        options = ort.SessionOptions()
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = (
            levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
        )
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        y: Array = session.run(None, {"x": x})[0]
        return y

    return run


def torch_run(engine: str) -> Run:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if engine not in torch.backends.quantized.supported_engines:
        pytest.skip(f"torch has no engine {engine} here")

    def quiet(model: onnx.ModelProto, x: Array) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # quantized tensors are deprecated
            return run(model, x)

    def run(model: onnx.ModelProto, x: Array) -> Array:
        torch.backends.quantized.engine = engine
        parts = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        node = model.graph.node[0]
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        rank, scale = x.ndim - 2, parts["ws"].astype(np.float64)
        zero = np.broadcast_to(parts["wz"], scale.shape).astype(np.int64)
        w = torch.from_numpy(parts["w"].copy())
        if scale.ndim:
            qw = torch._make_per_channel_quantized_tensor(
                w, torch.from_numpy(scale), torch.from_numpy(zero.copy()), 0
            )
        else:
            qw = torch._make_per_tensor_quantized_tensor(w, float(scale), int(zero))
        qx = torch._make_per_tensor_quantized_tensor(
            torch.from_numpy(x), float(parts["xs"]), int(parts["xz"])
        )
        bias = None
        if "b" in parts:
            real = parts["b"] * np.float64(parts["xs"]) * scale
            bias = torch.from_numpy(real.astype(np.float32))
        name = f"conv{rank}d"
        packed = getattr(torch.ops.quantized, f"{name}_prepack")(
            qw,
            bias,
            attributes["strides"],
            attributes["pads"][:rank],
            [1] * rank,
            attributes["group"],
        )
        y = getattr(torch.ops.quantized, name)(
            qx, packed, float(parts["ys"]), int(parts["yz"])
        )
        codes: Array = y.int_repr().numpy()
        return codes

    return quiet


def opencv_run() -> Run:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    if not hasattr(cv2.dnn, "ENGINE_NEW"):
        pytest.skip("OpenCV is older than 5")

    cv2.setNumThreads(1)  # which group overwrites which depends on the order of the tasks

    def run(model: onnx.ModelProto, x: Array) -> Array:
        shaped = shape_inference.infer_shapes(model).SerializeToString()
        net = cv2.dnn.readNetFromONNX(
            np.frombuffer(shaped, np.uint8), engine=cv2.dnn.ENGINE_NEW
        )
        net.setInput(x, "x")
        y: Array = net.forward()
        return y

    return run
