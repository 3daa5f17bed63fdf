"""Small convolution models for the tests of the oracle, independent of ``generators``."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Array

ELEMENT = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "float32": TensorProto.FLOAT}
SCALES = ("power", "above", "below", "decimal", "random")


@dataclass(frozen=True)
class Spec:
    """One convolution with its data; float32 scales of w are ``()`` or ``(M)``."""

    x: Array
    x_scale: np.float32
    x_zero: int
    w: Array
    w_scale: Array
    w_zero: int
    bias: Array | None
    y_scale: np.float32
    y_zero: int
    y_dtype: str
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def M(self) -> int:  # noqa: N802
        return int(self.w.shape[0])


def scale(rng: np.random.Generator, kind: str, low: int, high: int) -> np.float32:
    """A float32 scale between 2^low and 2^high: a power of two, one ulp beside it, decimal, any."""
    power = np.float32(2.0 ** int(rng.integers(low, high + 1)))
    if kind == "power":
        return power
    if kind in ("above", "below"):
        return np.float32(np.nextafter(power, np.float32(np.inf if kind == "above" else 0)))
    if kind == "decimal":
        return np.float32(round(float(power) * float(rng.choice([0.7, 1.0, 1.3])), 3) or 0.001)
    return np.float32(2.0 ** rng.uniform(low, high))


def draw(
    rng: np.random.Generator,
    kind: str,
    *,
    x_dtype: str = "uint8",
    w_dtype: str = "int8",
    bits: int = 7,
    per_channel: bool = False,
    small: bool = False,
    image: tuple[int, ...] = (6, 5),
    kernel: tuple[int, ...] = (3, 3),
    groups: int = 1,
    inputs: int = 4,
    outputs: int = 4,
    bias: bool = True,
    **attributes: Any,
) -> Spec:
    """A convolution whose outputs use the range of codes, with 7-bit activations by default.

    ``small`` numbers and powers of two make one output in ten an exact tie.
    """
    offset = 0 if x_dtype == "uint8" else -(2 ** (bits - 1))
    x_zero = int(rng.integers(0, 2**bits)) + offset
    w_zero = 0 if w_dtype == "int8" else int(rng.integers(100, 156))
    x = (rng.integers(0, 2**bits, (2, inputs, *image)) + offset).astype(x_dtype)
    w_shape = (outputs, inputs // groups, *kernel)
    if small:
        x = np.clip(x.astype(np.int64), x_zero - 3, x_zero + 3).clip(
            offset, offset + 2**bits - 1
        )
        x = x.astype(x_dtype)
    most = 2 if small else 127
    w = (rng.integers(-most, most + 1, w_shape) + (0 if w_dtype == "int8" else 128)).astype(
        w_dtype
    )
    xs = scale(rng, kind, -6, -2)
    ws = np.array([scale(rng, kind, -9, -5) for _ in range(outputs)])
    ws = ws if per_channel else ws[0].reshape(())
    typical = float(xs) * float(ws.max()) * (6 if small else 3000) * np.sqrt(w[0].size)
    ys = np.float32(typical / (4 if small else 80) * rng.uniform(0.8, 1.25))
    if kind != "random":
        ys = np.float32(2.0 ** np.rint(np.log2(ys)))
    if kind in ("above", "below"):
        ys = np.nextafter(ys, np.float32(np.inf if kind == "above" else 0))
    spread = int(typical / (float(xs) * float(ws.max())) / 2) + 1
    b = rng.integers(-spread, spread, outputs).astype(np.int32) if bias else None
    y_zero = int(rng.integers(0, 256)) - (0 if x_dtype == "uint8" else 128)
    fields = {"group": groups, **attributes}
    return Spec(x, xs, x_zero, w, ws, w_zero, b, ys, y_zero, x_dtype, fields)


def constant(name: str, value: Any, dtype: Any = None) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value, dtype), name)


def model(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    inputs: dict[str, tuple[str, tuple[int, ...]]],
    outputs: dict[str, str],
    opset: int = 21,
) -> onnx.ModelProto:
    """A model whose output shapes are left to the engine."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, ELEMENT[t], s) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, ELEMENT[t], None) for n, t in outputs.items()],
        constants,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10
    )


def parameters(spec: Spec) -> list[onnx.TensorProto]:
    zeros = np.full(spec.w_scale.shape, spec.w_zero, spec.w.dtype)
    found = [
        constant("xs", spec.x_scale),
        constant("xz", spec.x_zero, spec.x.dtype),
        constant("w", spec.w),
        constant("ws", spec.w_scale),
        constant("wz", zeros),
        constant("ys", spec.y_scale),
        constant("yz", spec.y_zero, spec.y_dtype),
    ]
    if spec.bias is not None:
        found.append(constant("b", spec.bias))
    return found


def qlinear(spec: Spec, opset: int = 13) -> onnx.ModelProto:
    """x -> QLinearConv -> y."""
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"] + ["b"] * (spec.bias is not None)
    node = helper.make_node("QLinearConv", names, ["y"], name="c", **spec.attributes)
    x = {"x": (spec.x.dtype.name, spec.x.shape)}
    return model([node], parameters(spec), x, {"y": spec.y_dtype}, opset)


def qdq(
    spec: Spec,
    *,
    activation: str = "",
    float_bias: Array | None = None,
    float_output: bool = False,
    dequantized: bool = False,
    clip: tuple[float, float] = (-1.0, 1.0),
) -> onnx.ModelProto:
    """x -> DQ -> Conv (-> Relu, Clip) -> Q -> y (-> DQ -> z); ``float_output`` leaves Q out."""
    constants = parameters(spec)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
    ]
    names = ["xd", "wd"]
    if float_bias is not None:
        constants.append(constant("bd", float_bias))
        names.append("bd")
    elif spec.bias is not None:
        constants.append(constant("bs", np.float32(spec.x_scale * spec.w_scale)))
        nodes.append(helper.make_node("DequantizeLinear", ["b", "bs"], ["bd"], axis=0))
        names.append("bd")
    nodes.append(helper.make_node("Conv", names, ["c"], name="conv", **spec.attributes))
    last = "c"
    if activation == "Relu":
        nodes.append(helper.make_node("Relu", ["c"], ["r"]))
        last = "r"
    if activation == "Clip":
        constants += [constant("lo", clip[0], np.float32), constant("hi", clip[1], np.float32)]
        nodes.append(helper.make_node("Clip", ["c", "lo", "hi"], ["r"]))
        last = "r"
    outputs = {last: "float32"} if float_output else {"y": spec.y_dtype}
    if not float_output:
        nodes.append(helper.make_node("QuantizeLinear", [last, "ys", "yz"], ["y"]))
    if dequantized:
        nodes.append(helper.make_node("DequantizeLinear", ["y", "ys", "yz"], ["z"]))
        outputs = {"z": "float32"}
    x = {"x": (spec.x.dtype.name, spec.x.shape)}
    return model(nodes, constants, x, outputs)
