"""Matrix products of codes in each engine: QLinearMatMul, QGemm, sums, reals, blocks of weights.

Activations have 7 bits: CPUs without VNNI add pairs of 8-bit products in int16, which saturates, in
onnxruntime and fbgemm. One check has all 8 bits and says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine import Session
from tests.emulation.check import Check, Pairs
from tests.engine.models import Array, graph_model
from tests.engine.runtimes import opencv_run

F32 = np.float32
SATURATES = "u8 x s8 products are added in pairs that saturate to int16 on CPUs without VNNI"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A product of codes; ``b_scale`` and ``b_zero`` for the tensor or for each column."""

    a: Array
    a_scale: np.float32
    a_zero: Array
    b: Array
    b_scale: Array
    b_zero: Array
    y_scale: np.float32
    y_zero: Array

    @property
    def columns(self) -> int:
        """N."""
        return int(self.b.shape[1])


def codes(r: np.random.Generator, dtype: Any, shape: tuple[int, ...], bits: int = 8) -> Array:
    """Random codes; those of 7 bits are not negative."""
    low, high = (0, 128) if bits == 7 else (np.iinfo(dtype).min, np.iinfo(dtype).max + 1)
    return r.integers(low, high, shape).astype(dtype)


def either(r: np.random.Generator) -> Any:
    """uint8 or int8."""
    return np.uint8 if r.random() < 0.5 else np.int8


def scales(r: np.random.Generator, count: int) -> tuple[np.float32, Array, np.float32]:
    """Powers of two (many ties), one ulp beside them, decimals, or random."""
    kind = int(r.integers(0, 4))
    if kind < 2:
        a = F32(2.0 ** -int(r.integers(2, 8)))
        b = F32(2.0) ** -r.integers(3, 8, count).astype(F32)
        y = F32(a * b.max() * F32(2.0 ** int(r.integers(4, 9))))
        return F32(np.nextafter(a, F32(r.choice([0, 1])))) if kind else a, b, y
    if kind == 2:
        a, b = F32(r.choice([0.1, 0.02, 0.3, 0.7])), r.choice([0.1, 0.01, 0.003], count)
    else:
        a, b = F32(np.exp(r.uniform(-5, -1))), np.exp(r.uniform(-5, -3, count))
    b = b.astype(F32)
    return a, b, F32(a * b[0] * F32(np.exp(r.uniform(3, 6))))


def draw(
    r: np.random.Generator, *, a_dtype: Any = None, b_dtype: Any = None, bits: int = 7
) -> Drawn:
    """Up to 40 rows, 70 deep, 60 columns; int8 by uint8 no engine takes."""
    kind = a_dtype or either(r)
    other = b_dtype or (np.int8 if kind == np.int8 else either(r))
    rows, depth, columns = (int(r.integers(1, most)) for most in (40, 70, 60))
    shape = (columns,) if r.random() < 0.5 else ()
    a_scale, b_scale, y_scale = scales(r, columns if shape else 1)
    return Drawn(
        codes(r, kind, (rows, depth), bits),
        a_scale,
        codes(r, kind, (), bits),
        codes(r, other, (depth, columns)),
        b_scale.reshape(shape),
        np.zeros(shape, other) if b_dtype else codes(r, other, shape),
        y_scale,
        codes(r, kind, ()),
    )


def model(
    op: str, feeds: Mapping[str, Array], constants: Mapping[str, Any], result: Any, **more: Any
) -> onnx.ModelProto:
    """One operator; "" among the names of its inputs is one left out."""
    domain = "" if op in ("QLinearMatMul", "MatMulInteger") else "com.microsoft"
    names = [name if each is not None else "" for name, each in constants.items()]
    node = helper.make_node(op, [*feeds, *names], ["y"], domain=domain, **more)
    given = {name: np.asarray(each) for name, each in constants.items() if each is not None}
    inputs = {name: (each.dtype, list(each.shape)) for name, each in feeds.items()}
    made = graph_model([node], inputs, {"y": result}, given)
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return made


def ours(made: onnx.ModelProto, profile: str, x: Array) -> Array:
    return Session(made, profile=profile).run({"x": x})["y"]


def onnxruntime_y(made: onnx.ModelProto, x: Array) -> Array:
    """Without optimizations: the operator as it is."""
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = ort.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    y: Array = session.run(None, {"x": x})[0]
    return y


def qlinear_matmul(d: Drawn) -> onnx.ModelProto:
    constants = {
        "as": d.a_scale,
        "az": d.a_zero,
        "b": d.b,
        "bs": d.b_scale,
        "bz": d.b_zero,
        "ys": d.y_scale,
        "yz": d.y_zero,
    }
    return model("QLinearMatMul", {"x": d.a}, constants, d.y_zero.dtype)


def qgemm(d: Drawn, c: Array | None, real: bool, **attributes: Any) -> onnx.ModelProto:
    constants = {
        "as": d.a_scale,
        "az": d.a_zero,
        "b": d.b.T.copy() if attributes.get("transB") else d.b,
        "bs": d.b_scale,
        "bz": d.b_zero,
        "c": c,
        "ys": None if real else d.y_scale,
        "yz": None if real else d.y_zero,
    }
    x = d.a.T.copy() if attributes.get("transA") else d.a
    if real:
        constants = {
            name: each for name, each in constants.items() if name not in ("ys", "yz")
        }
    return model("QGemm", {"x": x}, constants, F32 if real else d.y_zero.dtype, **attributes)


def onnxruntime_qlinear(bits: int, a_dtype: Any = None, b_dtype: Any = None) -> Pairs:
    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            d = draw(r, a_dtype=a_dtype, b_dtype=b_dtype, bits=bits)
            made = qlinear_matmul(d)
            yield ours(made, "ort", d.a), onnxruntime_y(made, d.a)

    return pairs


def onnxruntime_qgemm(real: bool) -> Pairs:
    def pairs(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        while True:
            d = draw(r)
            c = r.integers(-3000, 3000, d.columns).astype(np.int32)
            turned = {name: int(r.integers(0, 2)) for name in ("transA", "transB")}
            alpha = float(r.choice([1, 1, 0.5, 0.3, 1.7]))
            made = qgemm(d, c if r.random() < 0.6 else None, real, alpha=alpha, **turned)
            x = d.a.T.copy() if turned["transA"] else d.a
            yield ours(made, "ort", x), onnxruntime_y(made, x)

    return pairs


def onnxruntime_sums(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    while True:
        d = draw(r)
        constants = {"b": d.b, "az": d.a_zero, "bz": d.b_zero}
        made = model("MatMulInteger", {"x": d.a}, constants, np.int32)
        yield ours(made, "ort", d.a), onnxruntime_y(made, d.a)


def onnxruntime_reals(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    while True:
        d = draw(r)
        bias = r.normal(0, 1, d.columns).astype(F32) if r.random() < 0.6 else None
        constants = {
            "b": d.b,
            "as": d.a_scale,
            "bs": d.b_scale,
            "az": d.a_zero,
            "bz": d.b_zero,
        } | ({} if bias is None else {"bias": bias})
        made = model("MatMulIntegerToFloat", {"x": d.a}, constants, F32)
        yield ours(made, "ort", d.a), onnxruntime_y(made, d.a)


def dynamic(r: np.random.Generator) -> tuple[onnx.ModelProto, Array, dict[str, Array]]:
    """DynamicQuantizeMatMul with weights of 7 bits, one scale, and a bias."""
    rows, depth, columns = (int(each) for each in r.integers(1, 50, 3))
    x = (r.normal(0, 1, (rows, depth)) * np.exp(r.uniform(-3, 3))).astype(F32)
    constants: dict[str, Array] = {
        "b": r.integers(-64, 64, (depth, columns)).astype(np.int8),
        "bs": np.asarray(np.exp(r.uniform(-5, -3)), F32),
        "bz": np.zeros((), np.int8),
        "bias": r.normal(0, 1, columns).astype(F32),
    }
    return model("DynamicQuantizeMatMul", {"x": x}, constants, F32), x, constants


def onnxruntime_dynamic(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    while True:
        made, x, _ = dynamic(r)
        yield ours(made, "ort", x), onnxruntime_y(made, x)


def onnxruntime_blocks(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """MatMulNBits where every float32 sum is exact: the order in onnxruntime is its own."""
    while True:
        bits, block = int(r.choice([2, 4, 8])), int(r.choice([16, 32, 64]))
        columns, rows = int(r.integers(1, 60)), int(r.integers(1, 30))
        depth = int(r.integers(1, 4)) * block
        count = depth // block
        zeros = r.integers(0, 256, (columns, -(-count * bits // 8))).astype(np.uint8)
        constants = {
            "b": r.integers(0, 256, (columns, count, block * bits // 8)).astype(np.uint8),
            "s": F32(2.0) ** -r.integers(0, 5, (columns, count)).astype(F32),
        } | ({"z": zeros} if r.random() < 0.6 else {})
        x = r.integers(-8, 9, (rows, depth)).astype(F32)
        sizes = {"K": depth, "N": columns, "bits": bits, "block_size": block}
        made = model("MatMulNBits", {"x": x}, constants, F32, **sizes)
        yield ours(made, "ort", x), onnxruntime_y(made, x)


def opencv_product(r: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """QLinearMatMul of int8; OpenCV takes one scale and zero points of 0 for the weights."""
    run = opencv_run()
    while True:
        d = draw(r, a_dtype=np.int8, b_dtype=np.int8, bits=8)
        if not d.b_scale.ndim:
            made = qlinear_matmul(d)
            yield ours(made, "opencv", d.a), run(made, d.a)


CHECKS: tuple[Check, ...] = (
    Check("ort", "QLinearMatMul", onnxruntime_qlinear(7), "onnxruntime"),
    Check(
        "ort",
        "QLinearMatMul u8 x u8, 8 bits",
        onnxruntime_qlinear(8, np.uint8, np.uint8),
        "onnxruntime",
    ),
    Check(
        "ort",
        "QLinearMatMul u8 x s8, 8 bits",
        onnxruntime_qlinear(8, np.uint8, np.int8),
        "onnxruntime",
        SATURATES,
    ),
    Check("ort", "QGemm", onnxruntime_qgemm(real=False), "onnxruntime"),
    Check("ort", "QGemm to float", onnxruntime_qgemm(real=True), "onnxruntime"),
    Check("ort", "MatMulInteger", onnxruntime_sums, "onnxruntime"),
    Check("ort", "MatMulIntegerToFloat", onnxruntime_reals, "onnxruntime"),
    Check("ort", "DynamicQuantizeMatMul", onnxruntime_dynamic, "onnxruntime"),
    Check("ort", "MatMulNBits", onnxruntime_blocks, "onnxruntime"),
    Check("opencv", "QLinearMatMul", opencv_product, "cv2"),
)
