"""QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear of each engine, on crafted reals."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine import Session
from engine.kernels.number_types import FLOAT_CODES, INTEGER_CODES, PACKED
from tests.emulation.check import Check, Pairs
from tests.engine.models import Array, element_type, graph_model
from tests.engine.runtimes import onnxruntime_run, opencv_run

F32 = np.float32
SHAPE = (6, 37, 41)
GRANULARITIES = ("tensor", "axis 0", "axis 1", "axis -1", "block 0", "block 1", "block -1")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int4", "uint4", "int2", "uint2")
FLOATS = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
UNUSUAL = [np.nan, np.inf, -np.inf, 3e38, -3e38, 2.0**31, -(2.0**31), 1e10, 0.0, -0.0, 1e-45]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Parameters as the model stores them, and spread over the data."""

    scale: Array
    zero_point: Array
    spread_scale: Array
    attributes: dict[str, int]


def scales(r: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Powers of two, one ulp beside them, decimals, or random; one kind for all."""
    kind = r.integers(0, 4)
    if kind < 2:
        found = np.ldexp(F32(1), r.integers(-6, 4, shape)).astype(F32)
        return np.nextafter(found, F32(r.choice([0, 100]))) if kind else found
    if kind == 2:
        return r.choice([0.1, 0.02, 0.3, 0.7], shape).astype(F32)
    return np.exp(r.uniform(-5, 1, shape)).astype(F32)


def draw(r: np.random.Generator, dtype: Any, where: str, signs: bool = True) -> Drawn:
    """A scale and zero point of that granularity for data of SHAPE."""
    kind, _, axis = where.partition(" ")
    shape: tuple[int, ...] = ()
    attributes = {"axis": int(axis)} if axis else {}
    if kind == "axis":
        shape = (SHAPE[int(axis)],)
    elif kind == "block":
        size = int(r.integers(1, SHAPE[int(axis)] + 2))
        blocks = list(SHAPE)
        blocks[int(axis)] = -(-blocks[int(axis)] // size)
        shape, attributes = tuple(blocks), attributes | {"block_size": size}
    scale = scales(r, shape)
    if signs and r.random() < 0.25:
        scale = np.where(r.random(shape) < 0.5, -scale, scale).astype(F32)
    low, high = INTEGER_CODES.get(np.dtype(dtype), (0, 0))
    zero_point = r.integers(low, high + 1, shape).astype(np.int32).astype(dtype)
    spread = scale
    if kind == "axis":
        spread = scale.reshape([-1 if i == int(axis) % 3 else 1 for i in range(3)])
    elif kind == "block":
        spread = np.repeat(scale, attributes["block_size"], int(axis))
        spread = spread.take(range(SHAPE[int(axis)]), int(axis))
    return Drawn(np.asarray(scale), np.asarray(zero_point), spread, attributes)


def reals(r: np.random.Generator, scale: Array, low: int, high: int) -> Array:
    """Ties of every scale, their neighbours, values in and out of range, and unusual ones."""
    steps = r.uniform(1.2 * low - 2, 1.2 * high + 2, SHAPE)
    kind = r.integers(0, 8, SHAPE)
    steps = np.where(kind < 4, np.floor(steps) + 0.5, steps)
    x = (steps * scale).astype(F32)
    x = np.where(kind == 2, np.nextafter(x, F32(np.inf)), x)
    x = np.where(kind == 3, np.nextafter(x, -F32(np.inf)), x)
    x = np.where(r.random(SHAPE) < 0.02, r.choice(np.array(UNUSUAL, F32), SHAPE), x)
    return x.astype(F32)


def one_node(
    op: str,
    x: tuple[str, Any],
    d: Drawn,
    dtype: Any,
    y: Any,
    given: dict[str, Array],
    **more: Any,
) -> onnx.ModelProto:
    """A node "n" on the tensor ``x``; an output that numpy lacks is cast to float64."""
    last = "c" if np.dtype(y) in (*PACKED, *FLOAT_CODES) else "y"
    nodes = [helper.make_node(op, [x[0], "s", "z"], [last], name="n", **d.attributes, **more)]
    if last == "c":
        nodes.append(helper.make_node("Cast", ["c"], ["y"], to=TensorProto.DOUBLE))
        y = np.float64
    tensors = {"s": d.scale, "z": d.zero_point, **given}
    inputs = [] if x[0] in given else [helper.make_tensor_value_info(*x, SHAPE)]
    graph = helper.make_graph(
        nodes,
        "g",
        inputs,
        [helper.make_tensor_value_info("y", element_type(y), None)],
        [numpy_helper.from_array(each, name) for name, each in tensors.items()],
    )
    opset = 25 if np.dtype(dtype).name.endswith("int2") else 21
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=11
    )


def ours(model: onnx.ModelProto, profile: str, feeds: dict[str, Array]) -> Array:
    return Session(model, profile=profile).run(feeds)["y"]


def ort_quantize(name: str, data: Any = F32) -> Pairs:
    dtype = np.dtype(getattr(ml_dtypes, name, name))

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        run = onnxruntime_run()
        low, high = INTEGER_CODES.get(dtype, (-600, 600))
        for where in cycle(GRANULARITIES):
            d = draw(r, dtype, where)
            with np.errstate(over="ignore"):
                x = reals(r, d.spread_scale, low, high).astype(data)
            d = Drawn(d.scale.astype(data), d.zero_point, d.spread_scale, d.attributes)
            more = {"saturate": int(r.integers(0, 2))} if dtype in FLOAT_CODES else {}
            model = one_node(
                "QuantizeLinear", ("x", element_type(data)), d, dtype, dtype, {}, **more
            )
            yield ours(model, "ort", {"x": x}), run(model, x)

    return pairs


def ort_dequantize(name: str, data: Any = F32) -> Pairs:
    dtype = np.dtype(getattr(ml_dtypes, name, name))

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        run = onnxruntime_run()
        for where in cycle(GRANULARITIES):
            d = draw(r, dtype, where)
            if dtype == np.int32:
                codes = r.integers(-(2**31), 2**31, SHAPE).astype(np.int32)
            else:
                low, high = INTEGER_CODES.get(dtype, (-600, 600))
                codes = r.integers(low, high + 1, SHAPE).astype(np.int32).astype(dtype)
            d = Drawn(d.scale.astype(data), d.zero_point, d.spread_scale, d.attributes)
            model = one_node("DequantizeLinear", ("q", 0), d, dtype, data, {"q": codes})
            yield ours(model, "ort", {}), run_without_inputs(run, model)

    return pairs


def run_without_inputs(run: Any, model: onnx.ModelProto) -> Array:
    """The runtimes feed an ``x``: an unused one is added."""
    fed = onnx.ModelProto()
    fed.CopyFrom(model)
    fed.graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]))
    found: Array = run(fed, np.zeros(1, F32))
    return found


def dynamic(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """The three outputs of DynamicQuantizeLinear side by side; now and then all zero."""
    run = onnxruntime_run()
    names = {"y": TensorProto.UINT8, "s": TensorProto.FLOAT, "z": TensorProto.UINT8}
    models = []
    for name, kind in names.items():
        node = helper.make_node("DynamicQuantizeLinear", ["x"], list(names))
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
        output = helper.make_tensor_value_info(name, kind, None)
        graph = helper.make_graph([node], "g", [x], [output])
        opset = [helper.make_opsetid("", 13)]
        models.append(helper.make_model(graph, opset_imports=opset, ir_version=8))
    while True:
        x = (r.normal(size=4000) + r.choice([0, 0.3, 5, -5])) * r.choice([0, 0.1, 1, 100])
        x = np.r_[x, r.choice([0.0, 127.5, 255]), 0.0].astype(F32)
        each = [(Session(m, profile="ort").run({"x": x}), run(m, x)) for m in models]
        first = [next(iter(a.values())).astype(np.float64).ravel() for a, _ in each]
        yield (
            np.concatenate(first),
            np.concatenate([b.astype(np.float64).ravel() for _, b in each]),
        )


def opencv_quantize(name: str, back: bool) -> Pairs:
    """QuantizeLinear of cv2.dnn, or DequantizeLinear; scales above 0, no block partial."""
    dtype = np.dtype(name)

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        run = opencv_run()
        for where in cycle(("tensor", "axis 1", "axis 0")):
            d = draw(r, dtype, where, signs=False)
            low, high = INTEGER_CODES[dtype]
            op, y, x = "QuantizeLinear", name, reals(r, d.spread_scale, low, high)
            if back:
                op, y = "DequantizeLinear", "float32"
                x = r.integers(low, high + 1, SHAPE).astype(dtype)
            model = one_node(op, ("x", element_type(x.dtype)), d, dtype, y, {})
            yield ours(model, "opencv", {"x": x}), run(model, x).reshape(SHAPE).astype(y)

    return pairs


def torch_quantize(name: str) -> Pairs:
    """torch.quantize_per_tensor and quantize_per_channel."""
    dtype = np.dtype(name)

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        import torch

        kind = torch.qint8 if name == "int8" else torch.quint8
        for where in cycle(("tensor", "axis 1", "axis 0")):
            d = draw(r, dtype, where, signs=False)
            x = reals(r, d.spread_scale, *INTEGER_CODES[dtype])
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", UserWarning
                )  # quantized tensors are deprecated
                if where == "tensor":
                    q = torch.quantize_per_tensor(
                        torch.from_numpy(x), float(d.scale), int(d.zero_point), kind
                    )
                else:
                    q = torch.quantize_per_channel(
                        torch.from_numpy(x),
                        torch.from_numpy(d.scale.astype(np.float64)),
                        torch.from_numpy(d.zero_point.astype(np.int64)),
                        d.attributes["axis"],
                        kind,
                    )
                theirs = q.int_repr().numpy()
            model = one_node("QuantizeLinear", ("x", 1), d, dtype, dtype, {})
            yield ours(model, "torch", {"x": x}), theirs

    return pairs


def adapter_quantize(profile: str, back: bool) -> Pairs:
    """What the torch backend does with the QuantizeLinear or DequantizeLinear around a Conv."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        from harness.backends.torch_pattern import Affine
        from harness.backends.torch_quantized import dequantize, quantize

        kinds: tuple[np.dtype[Any], ...] = (np.dtype(np.int8), np.dtype(np.uint8))
        for dtype in cycle(kinds):
            d = draw(r, dtype, "tensor", signs=False)
            affine = Affine(d.scale.reshape(1), d.zero_point.reshape(1))
            op, y = "QuantizeLinear", dtype
            x = reals(r, d.scale, *INTEGER_CODES[dtype])
            if back:
                op, y = "DequantizeLinear", np.dtype(np.float32)
                x = r.integers(*INTEGER_CODES[dtype], SHAPE).astype(dtype)
            model = one_node(op, ("x", element_type(x.dtype)), d, dtype, y, {})
            theirs = dequantize(x, affine) if back else quantize(x, affine)
            yield ours(model, profile, {"x": x}), theirs

    return pairs


def requantize(profile: str) -> Pairs:
    """DequantizeLinear and QuantizeLinear one behind the other, every code."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        run = onnxruntime_run() if profile == "ort" else opencv_run()
        while True:
            kinds = [np.int8 if r.random() < 0.5 else np.uint8 for _ in range(2)]
            first, second = (draw(r, each, "tensor", signs=False) for each in kinds)
            low, high = INTEGER_CODES[np.dtype(kinds[0])]
            x = r.integers(low, high + 1, SHAPE).astype(kinds[0])
            nodes = [
                helper.make_node("DequantizeLinear", ["x", "s1", "z1"], ["f"]),
                helper.make_node("QuantizeLinear", ["f", "s2", "z2"], ["y"]),
            ]
            parts = {"s1": first.scale, "z1": first.zero_point}
            parts |= {"s2": second.scale, "z2": second.zero_point}
            model = graph_model(nodes, {"x": (kinds[0], list(SHAPE))}, {"y": kinds[1]}, parts)
            yield ours(model, profile, {"x": x}), run(model, x).reshape(SHAPE)

    return pairs


CHECKS: tuple[Check, ...] = (
    Check("ort", "Requantize", requantize("ort"), "onnxruntime"),
    Check("opencv", "Requantize", requantize("opencv"), "cv2"),
    *(
        Check("ort", f"QuantizeLinear {each}", ort_quantize(each), "onnxruntime")
        for each in INTEGERS
    ),
    *(
        Check("ort", f"QuantizeLinear {each}", ort_quantize(each), "onnxruntime")
        for each in FLOATS
    ),
    *(
        Check(
            "ort",
            f"QuantizeLinear {each}, float16",
            ort_quantize(each, np.float16),
            "onnxruntime",
        )
        for each in ("int8", "uint16", "int4", "float8_e4m3fn")
    ),
    *(
        Check("ort", f"DequantizeLinear {each}", ort_dequantize(each), "onnxruntime")
        for each in (*INTEGERS, "int32", *FLOATS)
    ),
    Check(
        "ort",
        "DequantizeLinear int8, float16",
        ort_dequantize("int8", np.float16),
        "onnxruntime",
    ),
    Check("ort", "DynamicQuantizeLinear", dynamic, "onnxruntime"),
    *(
        Check(
            "opencv",
            f"{'Deq' if back else 'Q'}uantizeLinear {each}",
            opencv_quantize(each, back),
            "cv2",
        )
        for each in ("int8", "uint8")
        for back in (False, True)
    ),
    *(
        Check("torch", f"QuantizeLinear {each}", torch_quantize(each), "torch")
        for each in ("int8", "uint8")
    ),
    *(
        Check(
            each,
            f"{'Deq' if back else 'Q'}uantizeLinear",
            adapter_quantize(each, back),
            "torch",
        )
        for each in ("fbgemm", "qnnpack", "onednn")
        for back in (False, True)
    ),
)
