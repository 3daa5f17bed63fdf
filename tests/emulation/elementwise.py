"""Element-wise operators on codes in each engine: sums and products with crafted ties, tables."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, shape_inference

from engine import Session
from tests.emulation.check import Check, Pairs
from tests.engine.fusion.elementwise_models import qdq
from tests.engine.models import Array, graph_model

F32 = np.float32
Feeds = Mapping[str, Array]
SHAPES: Sequence[tuple[list[int], list[int]]] = (
    ([2, 3, 40, 11], [2, 3, 40, 11]),
    ([2, 3, 40, 7], [3, 1, 1]),
    ([3, 1], [2, 3, 500]),
    ([5000], [1]),
    ([4, 5, 100], [4, 5, 1]),
)
"""Of two operands: equal ones, and either broadcast in inner and in outer dimensions."""


def scales(r: np.random.Generator, count: int) -> list[float]:
    """Powers of two (exact ties), one of them an ulp beside, decimals, or random."""
    kind = int(r.integers(0, 4))
    if kind < 2:
        drawn = [F32(2.0 ** -int(each)) for each in r.integers(2, 8, count)]
        if kind == 1:
            place = int(r.integers(0, count))
            drawn[place] = np.nextafter(drawn[place], F32(r.choice([0, 100])))
    elif kind == 2:
        drawn = [F32(each) for each in r.choice([0.1, 0.05, 0.02, 0.03, 0.007, 0.25], count)]
    else:
        drawn = [F32(each) for each in np.exp(r.uniform(np.log(0.003), np.log(0.3), count))]
    return [float(each) for each in drawn]


def any_code(r: np.random.Generator, dtype: Any) -> int:
    return int(r.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1))


def codes(r: np.random.Generator, dtype: Any, shape: Sequence[int]) -> Array:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max + 1
    return r.integers(low, high, shape).astype(dtype)


def contrib(
    op: str,
    names: Sequence[str],
    feeds: Feeds,
    constants: Mapping[str, Any],
    **attributes: Any,
) -> onnx.ModelProto:
    """One operator of com.microsoft with output y, in the type of the constant yz."""
    node = helper.make_node(op, list(names), ["y"], domain="com.microsoft", **attributes)
    inputs = {name: (each.dtype, list(each.shape)) for name, each in feeds.items()}
    given = {name: np.asarray(each) for name, each in constants.items()}
    model = graph_model([node], inputs, {"y": given["yz"].dtype}, given)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def affine(name: str, scale: float, zero_point: int, dtype: Any) -> dict[str, Any]:
    return {f"{name}s": F32(scale), f"{name}z": np.array(zero_point, dtype)}


def onnxruntime(model: onnx.ModelProto, feeds: Feeds) -> Array:
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    y: Array = session.run(None, dict(feeds))[0]
    return y


def opencv(model: onnx.ModelProto, feeds: Feeds) -> Array:
    cv2 = pytest.importorskip("cv2")
    shaped = shape_inference.infer_shapes(model).SerializeToString()
    net = cv2.dnn.readNetFromONNX(np.frombuffer(shaped, np.uint8), engine=cv2.dnn.ENGINE_NEW)
    for name, each in feeds.items():
        net.setInput(each, name)
    y: Array = net.forward()
    return y


def ours(model: onnx.ModelProto, profile: str, feeds: Feeds) -> Array:
    """OpenCV keeps activations that saturation covers, so we do there."""
    off = {"R44", "R45", "R55"} if profile == "opencv" else "on"
    return Session(model, profile=profile, fusion=off).run(dict(feeds))["y"]


def ort_pair(op: str, dtype: Any) -> Pairs:
    """QLinearAdd and QLinearMul of onnxruntime, every way of broadcasting."""
    names = ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            left, right = SHAPES[int(r.integers(0, len(SHAPES)))]
            feeds = {"a": codes(r, dtype, left), "b": codes(r, dtype, right)}
            given: dict[str, Any] = {}
            for name, scale in zip("aby", scales(r, 3), strict=True):
                given |= affine(name, scale, any_code(r, dtype), dtype)
            model = contrib(op, names, feeds, given)
            yield ours(model, "ort", feeds), onnxruntime(model, feeds)

    return pairs


def ort_select(op: str, dtype: Any) -> Pairs:
    """QLinearConcat and QLinearWhere of onnxruntime; sometimes a scale that needs no table."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            a, b, y = scales(r, 3)
            zeros = [any_code(r, dtype) for _ in range(3)]
            if r.random() < 0.3:
                b, zeros[1] = y, zeros[2]
            given = affine("a", a, zeros[0], dtype) | affine("b", b, zeros[1], dtype)
            given |= affine("y", y, zeros[2], dtype)
            feeds = {"a": codes(r, dtype, [2, 3, 400]), "b": codes(r, dtype, [2, 3, 400])}
            if op == "QLinearConcat":
                names = ["ys", "yz", "a", "as", "az", "b", "bs", "bz"]
                model = contrib(op, names, feeds, given, axis=1)
            else:
                feeds["c"] = r.random([2, 3, 1]) < 0.5
                names = ["c", "a", "as", "az", "b", "bs", "bz", "ys", "yz"]
                model = contrib(op, names, feeds, given)
            yield ours(model, "ort", feeds), onnxruntime(model, feeds)

    return pairs


def ort_table(op: str, dtype: Any) -> Pairs:
    """QLinearSigmoid and QLinearLeakyRelu of onnxruntime, all codes."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            x, y = scales(r, 2)
            given = affine("x", x, any_code(r, dtype), dtype)
            given |= affine("y", y, any_code(r, dtype), dtype)
            feeds = {"x": every_code(dtype)}
            more: dict[str, Any] = {}
            if op == "QLinearLeakyRelu":
                more["alpha"] = float(r.choice([0.01, 0.25, 0.3, -0.5, 2.0]))
            model = contrib(op, ["x", "xs", "xz", "ys", "yz"], feeds, given, **more)
            yield ours(model, "ort", feeds), onnxruntime(model, feeds)

    return pairs


def ort_softmax(dtype: Any) -> Pairs:
    """QLinearSoftmax of onnxruntime, also where its float32 product overflows."""

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            (x,) = scales(r, 1)
            y = float(r.choice([1 / 256, 1 / 128, 0.01, 0.004, 0.003]))
            low = np.iinfo(dtype).min
            zero_point = low if dtype == np.int8 else int(r.choice([0, 20]))
            zero_point = any_code(r, dtype) if r.random() < 0.2 else zero_point
            given = affine("x", x, any_code(r, dtype), dtype)
            given |= affine("y", y, zero_point, dtype)
            feeds = {"x": codes(r, dtype, [int(r.integers(1, 5)), 10, 40])}
            axis, opset = int(r.integers(-3, 3)), int(r.choice([11, 12, 13]))
            names = ["x", "xs", "xz", "ys", "yz"]
            model = contrib("QLinearSoftmax", names, feeds, given, axis=axis, opset=opset)
            yield ours(model, "ort", feeds), onnxruntime(model, feeds)

    return pairs


def every_code(dtype: Any) -> Array:
    return np.arange(256, dtype=np.uint8).view(dtype)


def between(op: str, profile: str, dtype: Any, inputs: int = 2, **attributes: Any) -> Pairs:
    """An operator between Q and DQ in an engine that reads such graphs."""
    run = onnxruntime if profile == "ort" else opencv
    names = ["x", "b"][:inputs]

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            drawn = scales(r, inputs + 1)
            affines = {
                name: (scale, any_code(r, dtype))
                for name, scale in zip(names, drawn, strict=False)
            }
            model = qdq(
                [(op, [f"{name}_f" for name in names], attributes)],
                inputs=affines,
                y=(drawn[-1], any_code(r, dtype)),
                dtype=dtype,
                shapes=dict.fromkeys(names, (2, 3, 40, 11)),
            )
            feeds = {name: codes(r, dtype, [2, 3, 40, 11]) for name in names}
            yield ours(model, profile, feeds), run(model, feeds)

    return pairs


def torch_codes(engine: str, name: str, tensors: Sequence[Any], *arguments: Any) -> Array:
    """A function of torch.ops.quantized on (codes, scale, zero point), back as codes."""
    import torch

    torch.backends.quantized.engine = engine
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # each thread has a last block of its own
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # quantized tensors are deprecated
            made = [
                torch._make_per_tensor_quantized_tensor(torch.from_numpy(q), scale, zero)
                for q, scale, zero in tensors
            ]
            given = [made] if name.startswith("cat") else made
            y = getattr(torch.ops.quantized, name)(*given, *arguments)
            found: Array = y.int_repr().numpy()
            return found
    finally:
        torch.set_num_threads(threads)


def torch_pair(engine: str, name: str, dtype: Any) -> Pairs:
    """add, mul and cat of torch, on tensors with a last block that is not full."""
    ops = {"add": "QLinearAdd", "mul": "QLinearMul", "cat": "QLinearConcat"}
    names = ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]
    if name == "cat":
        names = ["ys", "yz", "a", "as", "az", "b", "bs", "bz"]

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            drawn, zeros = scales(r, 3), [any_code(r, dtype) for _ in range(3)]
            shape = [2, 3, int(r.integers(1, 700))]
            feeds = {"a": codes(r, dtype, shape), "b": codes(r, dtype, shape)}
            given: dict[str, Any] = {}
            for each, scale, zero in zip("aby", drawn, zeros, strict=True):
                given |= affine(each, scale, zero, dtype)
            more = {"axis": 1} if name == "cat" else {}
            model = contrib(ops[name], names, feeds, given, **more)
            tensors = [(feeds["a"], drawn[0], zeros[0]), (feeds["b"], drawn[1], zeros[1])]
            last = (1, drawn[2], zeros[2]) if name == "cat" else (drawn[2], zeros[2])
            yield ours(model, engine, feeds), torch_codes(engine, name, tensors, *last)

    return pairs


def torch_table(engine: str, name: str, dtype: Any) -> Pairs:
    """A function of one tensor in torch: all codes, and a last block that is not full."""
    ops = {"hardswish": "HardSwish", "leaky_relu": "LeakyRelu", "sigmoid": "Sigmoid"}

    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            x, y = scales(r, 2)
            zeros = [any_code(r, dtype) for _ in range(2)]
            data = np.resize(every_code(dtype), 739)
            more = {"alpha": float(F32(0.1))} if name == "leaky_relu" else {}
            model = qdq(
                [(ops[name], ["x_f"], more)],
                inputs={"x": (x, zeros[0])},
                y=(y, zeros[1]),
                dtype=dtype,
                shapes={"x": [739]},
            )
            extra = (0.1, False) if name == "leaky_relu" else ()
            theirs = torch_codes(engine, name, [(data, x, zeros[0])], *extra, y, zeros[1])
            yield ours(model, engine, {"x": data}), theirs

    return pairs


_BOTH = (np.uint8, np.int8)
_TORCH = ("fbgemm", "onednn", "qnnpack")


def checks() -> Iterator[Check]:
    """All rows of the family."""
    for dtype in _BOTH:
        kind = dtype.__name__
        for op in ("QLinearAdd", "QLinearMul"):
            yield Check("ort", f"{op} {kind}", ort_pair(op, dtype), "onnxruntime")
        for op in ("QLinearConcat", "QLinearWhere"):
            yield Check("ort", f"{op} {kind}", ort_select(op, dtype), "onnxruntime")
        for op in ("QLinearSigmoid", "QLinearLeakyRelu"):
            yield Check("ort", f"{op} {kind}", ort_table(op, dtype), "onnxruntime")
        yield Check("ort", f"QLinearSoftmax {kind}", ort_softmax(dtype), "onnxruntime")
        for op in ("Sub", "Div", "Max", "Min"):
            yield Check("ort", f"{op} {kind}", between(op, "ort", dtype), "onnxruntime")
        for op in ("Add", "Mul"):
            yield Check("opencv", f"{op} {kind}", between(op, "opencv", dtype), "cv2")
        joined = between("Concat", "opencv", dtype, axis=1)
        yield Check("opencv", f"Concat {kind}", joined, "cv2")
        for op in ("Relu", "Sigmoid", "HardSwish", "Exp"):
            yield Check("opencv", f"{op} {kind}", between(op, "opencv", dtype, 1), "cv2")
        for engine in _TORCH:
            for name in ("add", "mul", "cat"):
                yield Check(engine, f"{name} {kind}", torch_pair(engine, name, dtype), "torch")
            for name in ("hardswish", "leaky_relu", "sigmoid"):
                if (engine, name, dtype) != ("qnnpack", "sigmoid", np.uint8):
                    yield Check(
                        engine, f"{name} {kind}", torch_table(engine, name, dtype), "torch"
                    )


CHECKS: tuple[Check, ...] = tuple(checks())
"""QNNPACK's own sigmoid of uint8 is not among them: it takes only the output scale 1/256."""
