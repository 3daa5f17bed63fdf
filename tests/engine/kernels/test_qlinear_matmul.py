"""Products of codes against int64 sums and rationals: shapes, parameters, extremes, refusals."""

import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from engine import EngineError, InvalidModel, Session, Unsupported
from tests.engine.models import Array, graph_model

F32 = np.float32
SHAPES = [
    ((3, 4), (4, 5)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((4,), (4,)),
    ((2, 3, 4), (4, 5)),
    ((1, 3, 4), (6, 4, 5)),
    ((6, 3, 4), (1, 4, 5)),
    ((2, 3, 4, 5), (3, 5, 6)),
    ((3, 4, 5), (2, 3, 5, 6)),
    ((2, 1, 4, 5), (1, 3, 5, 6)),
    ((0, 4), (4, 5)),
    ((3, 0), (0, 5)),
    ((3, 4), (4, 0)),
    ((0, 3, 4), (0, 4, 5)),
    ((300, 4), (4, 700)),  # several blocks of rows
    ((12, 99, 16), (12, 16, 99)),  # a kernel for each matrix
    ((1, 300, 16), (1, 16, 300)),
    ((1, 97, 8), (12, 8, 97)),
    ((3, 12, 60, 8), (12, 8, 60)),
    ((900, 2, 8, 4), (2, 4, 8)),
    ((500, 20, 8), (500, 8, 20)),  # parts of a batch
    ((7, 900), (900, 9)),  # K in parts
]


def product_model(
    op: str, a: Array, constants: dict[str, Any], result: Any, opset: int = 13, **more: Any
) -> onnx.ModelProto:
    domain = "" if op in ("QLinearMatMul", "MatMulInteger") else "com.microsoft"
    node = helper.make_node(op, ["a", *constants], ["y"], name="p", domain=domain, **more)
    inputs = {"a": (a.dtype, list(a.shape))}
    model = graph_model([node], inputs, {"y": result}, constants, opset)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def random_codes(r: np.random.Generator, dtype: Any, shape: tuple[int, ...]) -> Array:
    return r.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape).astype(dtype)


def sums(a: Array, a_zero: Any, b: Array, b_zero: Any) -> Array:
    product: Array = np.matmul(a.astype(np.int64) - a_zero, b.astype(np.int64) - b_zero)
    return product


def as_inputs(model: onnx.ModelProto, *names: str) -> dict[str, Array]:
    """Constants turned into inputs; what is to be fed for them."""
    fed = {}
    for each in [each for each in model.graph.initializer if each.name in names]:
        fed[each.name] = onnx.numpy_helper.to_array(each)
        info = helper.make_tensor_value_info(each.name, each.data_type, list(each.dims))
        model.graph.input.append(info)
        model.graph.initializer.remove(each)
    return fed


@pytest.mark.parametrize(("a_shape", "b_shape"), SHAPES)
@pytest.mark.parametrize("computed", [(), ("b",), ("b", "az", "bz")])
def test_sums_of_any_rank(a_shape: Any, b_shape: Any, computed: tuple[str, ...]) -> None:
    r = np.random.default_rng(0)
    a, b = random_codes(r, np.uint8, a_shape), random_codes(r, np.int8, b_shape)
    constants = {"b": b, "az": np.uint8(200), "bz": np.int8(-7)}
    model = product_model("MatMulInteger", a, constants, np.int32)
    feeds = {"a": a} | as_inputs(model, *computed)
    y = Session(model).run(feeds)["y"]
    expected = sums(a, 200, b, -7)
    assert y.dtype == np.int32
    assert y.shape == expected.shape
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("a_dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("b_dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("shape", [(3, 4, 5), (300, 4, 250)])
def test_zero_points_of_rows_and_columns(a_dtype: Any, b_dtype: Any, shape: Any) -> None:
    r, (rows, depth, columns) = np.random.default_rng(1), shape
    a, b = random_codes(r, a_dtype, (rows, depth)), random_codes(r, b_dtype, (depth, columns))
    az, bz = random_codes(r, a_dtype, (rows,)), random_codes(r, b_dtype, (columns,))
    model = product_model("MatMulInteger", a, {"b": b, "az": az, "bz": bz}, np.int32)
    expected = sums(a, az.astype(np.int64)[:, None], b, bz.astype(np.int64))
    np.testing.assert_array_equal(Session(model).run({"a": a})["y"], expected)


@pytest.mark.parametrize("profile", ["spec", "ort", "opencv"])
def test_wide_computed_weights_are_those_of_constants(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices of columns, each with its own scales, zero points and OpenCV's columns left over."""
    monkeypatch.setattr("engine.kernels.matmul.WIDE", 1 << 8)
    r = np.random.default_rng(6)
    a, b = random_codes(r, np.uint8, (5, 16)), random_codes(r, np.int8, (16, 61))
    steps, zeros = r.choice([0.5, 0.25, 1], 61).astype(F32), random_codes(r, np.int8, (61,))
    model = qlinear(a, b, (F32(0.5), steps, F32(64)), (3, zeros, 7))
    expected = Session(model, profile=profile).run({"a": a})["y"]
    feeds = {"a": a} | as_inputs(model, "b")
    np.testing.assert_array_equal(Session(model, profile=profile).run(feeds)["y"], expected)


@pytest.mark.parametrize("op", ["MatMulInteger", "DynamicQuantizeMatMul"])
def test_wide_computed_weights_take_little_memory(
    op: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.kernels.matmul.WIDE", 1 << 17)
    r = np.random.default_rng(7)
    b = random_codes(r, np.int8, (1500, 1500))
    a = (
        random_codes(r, np.uint8, (2, 1500))
        if op == "MatMulInteger"
        else np.ones((2, 1500), F32)
    )
    constants = {"b": b} | ({} if op == "MatMulInteger" else {"bs": F32(0.5)})
    model = product_model(op, a, constants, np.int32 if op == "MatMulInteger" else F32)
    feeds = {"a": a} | as_inputs(model, "b")
    session = Session(model)
    y = session.run(feeds)["y"]
    tracemalloc.start()
    session.run(feeds)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < a.nbytes + b.nbytes + y.nbytes  # widened as a whole, 10 bytes a weight


def test_sums_wrap_at_int32() -> None:
    a, b = np.full((2, 70000), 255, np.uint8), np.full((70000, 3), -128, np.int8)
    y = Session(product_model("MatMulInteger", a, {"b": b}, np.int32)).run({"a": a})["y"]
    expected = np.array(255 * -128 * 70000).astype(np.int32)  # 2,284,800,000 below 0
    assert (y == expected).all()
    assert int(expected) > 0


@pytest.mark.parametrize("depth", [255, 256, 257, 1023, 4096])
def test_sums_are_exact_where_float32_alone_would_not_be(depth: int) -> None:
    a, b = np.full((1, depth), 255, np.uint8), np.full((depth, 1), 127, np.int8)
    a[0, 0], b[0, 0] = 1, 1
    y = Session(product_model("MatMulInteger", a, {"b": b}, np.int32)).run({"a": a})["y"]
    assert int(y.item()) == 255 * 127 * (depth - 1) + 1


def qlinear(a: Array, b: Array, scales: Any, zeros: Any, opset: int = 13) -> onnx.ModelProto:
    """Scales and zero points of a, b, y; codes of y are uint8."""
    constants = {
        "as": np.asarray(scales[0]),
        "az": np.asarray(zeros[0], a.dtype),
        "b": b,
        "bs": np.asarray(scales[1]),
        "bz": np.asarray(zeros[1], b.dtype),
        "ys": np.asarray(scales[2]),
        "yz": np.asarray(zeros[2], np.uint8),
    }
    return product_model("QLinearMatMul", a, constants, np.uint8, opset)


def rounded(value: Fraction, zero: int) -> int:
    return min(max(round(value) + zero, 0), 255)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([F32, np.float16]), st.booleans(), st.booleans())
def test_qlinear_is_the_real_value_rounded_once(
    seed: int, scale: Any, by_row: bool, by_column: bool
) -> None:
    r = np.random.default_rng(seed)
    a, b = random_codes(r, np.int8, (3, 6)), random_codes(r, np.uint8, (6, 4))
    draw = r.choice([0.5, 0.25, 0.1, 0.3, 2.0**-6], 8)
    a_scale = draw[:3].astype(scale) if by_row else draw[:1].astype(scale)[0]
    b_scale = draw[3:7].astype(scale) if by_column else draw[3:4].astype(scale)[0]
    az, bz, yz = -5, 9, int(r.integers(0, 256))
    y_scale = scale(draw[7] * 64)
    model = qlinear(a, b, (a_scale, b_scale, y_scale), (az, bz, yz), opset=21)
    acc = sums(a, az, b, bz)
    left, right = np.broadcast_to(a_scale, 3), np.broadcast_to(b_scale, 4)
    expected = [
        [
            rounded(
                int(acc[i, j])
                * Fraction(float(left[i]))
                * Fraction(float(right[j]))
                / Fraction(float(y_scale)),
                yz,
            )
            for j in range(4)
        ]
        for i in range(3)
    ]
    if by_row:
        model = qlinear(a, b, (a_scale, b_scale, y_scale), (np.full(3, az), bz, yz), opset=21)
    np.testing.assert_array_equal(Session(model).run({"a": a})["y"], expected)


def test_a_negative_scale_is_refused_in_one_line() -> None:
    a, b = np.ones((2, 3), np.uint8), np.ones((3, 2), np.int8)
    with pytest.raises(InvalidModel, match=r"b_scale is -0\.5; a scale must be"):
        Session(qlinear(a, b, (F32(1), F32(-0.5), F32(1)), (0, 0, 0)))


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"b": np.ones((3, 2), np.int8), "az": np.int8(0)}, "a is uint8, its zero point int8"),
        (
            {"b": np.ones((3, 2), np.int8), "az": np.uint8(0), "bz": np.uint8(0)},
            "b is int8, its zero point uint8",
        ),
        ({"b": np.ones((4, 2), np.int8)}, "for 4 rows of b"),
        ({"b": np.ones((3, 2), np.int16)}, "int16"),
        ({"b": np.int8(3)}, "scalar"),
    ],
)
def test_what_does_not_fit_is_one_line(constants: dict[str, Any], message: str) -> None:
    a = np.ones((2, 3), np.uint8)
    with pytest.raises(EngineError, match=message) as caught:
        Session(product_model("MatMulInteger", a, constants, np.int32)).run({"a": a})
    assert "\n" not in str(caught.value)


def test_only_one_scale_of_y() -> None:
    a, b = np.ones((2, 3), np.uint8), np.ones((3, 2), np.int8)
    with pytest.raises(Unsupported, match="2 scales of y"):
        Session(qlinear(a, b, (F32(1), F32(1), np.ones(2, F32)), (0, 0, np.zeros(2))))


GEMM = ("as", "az", "b", "bs", "bz", "c", "ys", "yz")


def qgemm(a: Array, b: Array, c: Array, alpha: float, real: bool, **more: Any) -> Any:
    values = (F32(0.3), np.uint8(7), b, F32(0.5), np.int8(0), c, F32(1.5), np.uint8(100))
    constants = dict(zip(GEMM, values, strict=True))
    if real:
        del constants["ys"], constants["yz"]
    return product_model("QGemm", a, constants, F32 if real else np.uint8, alpha=alpha, **more)


@pytest.mark.parametrize("c_shape", [(), (1,), (4,), (1, 4), (3, 1), (3, 4)])
@pytest.mark.parametrize("turned", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.3])
def test_qgemm_scales_alpha_exactly(c_shape: Any, turned: Any, alpha: float) -> None:
    r = np.random.default_rng(3)
    a, b = random_codes(r, np.uint8, (3, 5)), random_codes(r, np.int8, (5, 4))
    c = r.integers(-400, 400, c_shape).astype(np.int32)
    x, w = a.T.copy() if turned[0] else a, b.T.copy() if turned[1] else b
    model = qgemm(x, w, c, alpha, False, transA=turned[0], transB=turned[1])
    acc = sums(a, 7, b, 0) + c
    factor = Fraction(float(F32(alpha))) * Fraction(float(F32(0.3))) / 3
    expected = [[rounded(int(each) * factor, 100) for each in row] for row in acc]
    np.testing.assert_array_equal(Session(model).run({"a": x})["y"], expected)


def test_qgemm_without_parameters_of_y_is_real() -> None:
    r = np.random.default_rng(4)
    a, b = random_codes(r, np.uint8, (3, 5)), random_codes(r, np.int8, (5, 4))
    c = r.integers(-400, 400, 4).astype(np.int32)
    y = Session(qgemm(a, b, c, 0.5, True)).run({"a": a})["y"]
    factor = np.float64(F32(0.3)) * 0.25
    np.testing.assert_array_equal(y, ((sums(a, 7, b, 0) + c) * factor).astype(F32))


@pytest.mark.parametrize("fixed", [True, False])
def test_dynamic_quantization_then_the_product(fixed: bool) -> None:
    r = np.random.default_rng(5)
    x, b = r.normal(0, 1, (4, 6)).astype(F32), random_codes(r, np.int8, (6, 3))
    bias = r.normal(0, 1, 3).astype(F32)
    constants = {"b": b, "bs": F32(0.25), "bz": np.int8(2), "bias": bias}
    model = product_model("DynamicQuantizeMatMul", x, constants, F32)
    fed = {} if fixed else as_inputs(model, "b", "bs")
    y = Session(model).run({"a": x} | fed)["y"]
    node = helper.make_node("DynamicQuantizeLinear", ["a"], ["q", "s", "z"])
    kinds = {"q": np.uint8, "s": F32, "z": np.uint8}
    first = Session(graph_model([node], {"a": (F32, [4, 6])}, kinds, {})).run({"a": x})
    exact = sums(first["q"], int(first["z"]), b, 2) * (np.float64(first["s"]) * 0.25) + bias
    np.testing.assert_array_equal(y, exact.astype(F32))


def test_weights_are_prepared_once() -> None:
    a, b = np.ones((2, 3), np.uint8), np.ones((3, 2), np.int8)
    session = Session(qlinear(a, b, (F32(1), F32(1), F32(1)), (0, 0, 0)))
    assert session.plan().steps[0].parameters.depth == 3
    np.testing.assert_array_equal(session.run({"a": a})["y"], session.run({"a": a})["y"])
