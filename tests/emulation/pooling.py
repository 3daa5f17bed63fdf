"""Pools of codes in each engine: means with crafted ties, and maxima."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from engine import Session
from tests.emulation.check import Check, Pairs
from tests.engine.models import Array, graph_model
from tests.engine.runtimes import onnxruntime_run, opencv_run

F32 = np.float32
IMAGE = (2, 16, 24, 23)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A pool of codes: scales, zero points, data, and its geometry."""

    dtype: Any
    x: Array
    scales: tuple[float, float]
    zeros: tuple[int, int]
    attributes: dict[str, Any]


def scale_pair(r: np.random.Generator, same: bool) -> tuple[float, float]:
    """Powers of two (many ties), one ulp beside them, decimals, or random."""
    kind = int(r.integers(0, 4))
    x = F32(
        2.0 ** -int(r.integers(0, 8))
        if kind < 2
        else r.choice([0.1, 0.02, 0.3, 0.7])
        if kind == 2
        else np.exp(r.uniform(-6, 1))
    )
    if same:
        return float(x), float(x)
    y = x * F32(2.0 ** int(r.integers(-2, 3)) if kind < 2 else np.exp(r.uniform(-1, 1)))
    if kind == 1:
        y = np.nextafter(y, F32(r.choice([0, 100])))
    return float(x), float(F32(y))


def either(r: np.random.Generator) -> Any:
    """uint8 or int8."""
    return np.uint8 if r.random() < 0.5 else np.int8


def draw(r: np.random.Generator, dtype: Any, same: bool = False) -> Drawn:
    """A 2-D pool; divisors with and without odd factors."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max + 1
    kernel = [int(each) for each in r.integers(1, 5, 2)]
    pad = [int(r.integers(0, (each + 1) // 2)) for each in kernel]
    zeros = [int(each) for each in r.integers(low, high, 2)]
    attributes = {
        "kernel_shape": kernel,
        "strides": [int(each) for each in r.integers(1, 4, 2)],
        "pads": pad + pad,
    }
    x = r.integers(low, high, IMAGE).astype(dtype)
    scales = scale_pair(r, same)
    return Drawn(dtype, x, scales, (zeros[0], zeros[0] if same else zeros[1]), attributes)


def draw_planes(r: np.random.Generator, dtype: Any, same: bool = False) -> Drawn:
    """Many small planes: global pools give one element for each."""
    d = draw(r, dtype, same)
    height, width = (int(each) for each in r.integers(1, 6, 2))
    x = d.x.reshape(-1)[: 32 * 20 * height * width].reshape(32, 20, height, width)
    return Drawn(d.dtype, np.ascontiguousarray(x), d.scales, d.zeros, {})


def operator_model(op: str, d: Drawn, **attributes: Any) -> onnx.ModelProto:
    """One operator of com.microsoft on codes."""
    names = ["xs", "xz", "ys", "yz"]
    node = helper.make_node(op, ["x", *names], ["y"], domain="com.microsoft", **attributes)
    model = graph_model(
        [node], {"x": (d.dtype, list(d.x.shape))}, {"y": d.dtype}, constants(d)
    )
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def qdq_model(op: str, d: Drawn, **attributes: Any) -> onnx.ModelProto:
    """One operator between DequantizeLinear and QuantizeLinear."""
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["f"]),
        helper.make_node(op, ["f"], ["g"], **attributes),
        helper.make_node("QuantizeLinear", ["g", "ys", "yz"], ["y"]),
    ]
    shape = list(d.x.shape)
    return graph_model(nodes, {"x": (d.dtype, shape)}, {"y": d.dtype}, constants(d))


def constants(d: Drawn) -> dict[str, Array]:
    """Scales and zero points by name."""
    return {
        "xs": np.array(d.scales[0], F32),
        "xz": np.array(d.zeros[0], d.dtype),
        "ys": np.array(d.scales[1], F32),
        "yz": np.array(d.zeros[1], d.dtype),
    }


def ours(model: onnx.ModelProto, profile: str, x: Array) -> Array:
    """What the engine computes in that profile."""
    return Session(model, profile=profile).run({"x": x})["y"]


def onnxruntime_window(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """QLinearAveragePool of onnxruntime."""
    run = onnxruntime_run()
    while True:
        d = draw(r, either(r))
        more = {"count_include_pad": int(r.integers(0, 2))}
        model = operator_model("QLinearAveragePool", d, **d.attributes, **more)
        yield ours(model, "ort", d.x), run(model, d.x)


def onnxruntime_plane(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """QLinearGlobalAveragePool of onnxruntime: many small planes."""
    run = onnxruntime_run()
    while True:
        d = draw_planes(r, either(r))
        model = operator_model("QLinearGlobalAveragePool", d)
        yield ours(model, "ort", d.x), run(model, d.x)


def torch_window(engine: str, dtype: Any) -> Pairs:
    """avg_pool2d of torch, channels first; the output keeps scale and zero point."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            d = draw(r, dtype, same=True)
            a = d.attributes
            if engine == "qnnpack" and a["kernel_shape"] == [1, 1]:
                continue  # which QNNPACK refuses; and it counts pads whatever it is asked
            include = 1 if engine == "qnnpack" else int(r.integers(0, 2))
            model = operator_model("QLinearAveragePool", d, **a, count_include_pad=include)
            theirs = torch_pool(
                engine,
                d,
                "avg_pool2d",
                a["kernel_shape"],
                a["strides"],
                a["pads"][:2],
                False,
                bool(include),
            )
            yield ours(model, engine, d.x), theirs

    return pairs


def torch_plane(engine: str, dtype: Any) -> Pairs:
    """adaptive_avg_pool2d of torch to 1x1, channels first."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            d = draw_planes(r, dtype, same=True)
            model = operator_model("QLinearGlobalAveragePool", d)
            yield ours(model, engine, d.x), torch_pool(engine, d, "adaptive_avg_pool2d", 1)

    return pairs


def torch_maximum(engine: str, dtype: Any) -> Pairs:
    """max_pool2d of torch on codes."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            d = draw(r, dtype, same=True)
            a = d.attributes
            if engine == "qnnpack" and a["kernel_shape"] == [1, 1]:
                continue  # which QNNPACK refuses
            node = helper.make_node("MaxPool", ["x"], ["y"], **a)
            model = graph_model([node], {"x": (dtype, list(IMAGE))}, {"y": dtype}, {})
            where = a["kernel_shape"], a["strides"], a["pads"][:2]
            yield ours(model, engine, d.x), torch_pool(engine, d, "max_pool2d", *where)

    return pairs


def torch_pool(engine: str, d: Drawn, name: str, *arguments: Any) -> Array:
    """A function of torch.nn.functional on quantized codes, back as codes."""
    import torch

    torch.backends.quantized.engine = engine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # quantized tensors are deprecated
        q = torch._make_per_tensor_quantized_tensor(
            torch.from_numpy(d.x), d.scales[0], d.zeros[0]
        )
        y = getattr(torch.nn.functional, name)(q, *arguments)
        codes: Array = y.int_repr().numpy()
    return codes


def maximum(profile: str) -> Pairs:
    """MaxPool on codes: onnxruntime's operator, or OpenCV's between Q and DQ with equal parameters."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        run = onnxruntime_run() if profile == "ort" else opencv_run()
        while True:
            d = draw(r, either(r) if profile == "ort" else np.int8, same=True)
            if profile == "ort":
                node = helper.make_node("MaxPool", ["x"], ["y"], **d.attributes)
                shape = list(d.x.shape)
                model = graph_model([node], {"x": (d.dtype, shape)}, {"y": d.dtype}, {})
            else:
                model = qdq_model("MaxPool", d, **d.attributes)
            yield ours(model, profile, d.x), run(model, d.x)

    return pairs


def opencv_mean(op: str) -> Pairs:
    """A mean between D and Q, which OpenCV runs in float."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        run = opencv_run()
        while True:
            d = draw(r, np.int8) if op == "AveragePool" else draw_planes(r, np.int8)
            model = qdq_model(op, d, **d.attributes)
            yield ours(model, "opencv", d.x), run(model, d.x)

    return pairs


CHECKS: tuple[Check, ...] = (
    Check("ort", "QLinearAveragePool", onnxruntime_window, "onnxruntime"),
    Check("ort", "QLinearGlobalAveragePool", onnxruntime_plane, "onnxruntime"),
    Check("ort", "MaxPool", maximum("ort"), "onnxruntime"),
    *(
        Check(engine, f"{name} {dtype.__name__}", pairs(engine, dtype), "torch")
        for engine in ("fbgemm", "qnnpack", "onednn")
        for dtype in (np.uint8, np.int8)
        for name, pairs in (
            ("avg_pool2d", torch_window),
            ("adaptive_avg_pool2d", torch_plane),
            ("max_pool2d", torch_maximum),
        )
    ),
    Check("opencv", "AveragePool", opencv_mean("AveragePool"), "cv2"),
    Check("opencv", "GlobalAveragePool", opencv_mean("GlobalAveragePool"), "cv2"),
    Check("opencv", "MaxPool", maximum("opencv"), "cv2"),
)
