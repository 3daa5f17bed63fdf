"""R07: products with a real result. R08, R08b: the bias of a MatMul."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from engine.faults import find
from tests.engine.fusion.checks import assert_inside, assert_same_bits, fired, refusals
from tests.engine.fusion.product_models import F32, ROW, A, kinds, product, with_inputs


@pytest.mark.parametrize(
    "constants", [{}, {"bs": F32(2.0) ** -np.arange(6, dtype=F32), "bz": np.zeros(6, np.int8)}]
)
def test_r07_a_matmul_stays_real(constants: dict[str, Any]) -> None:
    model = product(quantized=False, constants=constants)
    assert kinds(model) == [("MatMulIntegerToFloat", "R07")]
    assert_same_bits(model, {"a": A})


@pytest.mark.parametrize("bias", ["", "int32"])
def test_r07_a_gemm_stays_real(bias: str) -> None:
    model = product("Gemm", quantized=False, bias=bias)
    assert kinds(model) == [("QGemm", "R07")]
    assert_same_bits(model, {"a": A})


def test_r07_any_scale_stays_inside_the_set() -> None:
    model = product(quantized=False, constants={"as": F32(0.1), "bs": F32(0.013)})
    assert kinds(model) == [("MatMulIntegerToFloat", "R07")]
    assert_inside(model, {"a": A})


def test_r07_leaves_a_quantized_product_to_r06() -> None:
    assert "R07" not in fired(product())
    assert "R07" not in fired(product(), off=["R06"])


@pytest.mark.parametrize(
    ("constants", "reason"),
    [
        (
            {"bs": F32(-0.5)},
            "G6: the scale of db is -0.5; a scale must be positive and finite",
        ),
        (
            {"as": np.ones(8, F32), "az": np.zeros(8, np.uint8)},
            "G2: da has 8 scales, the kernel takes 1",
        ),
    ],
)
def test_r07_does_not_fire_and_says_why(constants: dict[str, Any], reason: str) -> None:
    model = product(quantized=False, constants=constants)
    assert refusals(model, "R07") == {reason}
    assert_same_bits(model, {"a": A})


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("between", [(), ("Relu",), ("Clip",)])
@pytest.mark.parametrize("by_column", [False, True])
def test_r08_int32_bias(swapped: bool, between: tuple[str, ...], by_column: bool) -> None:
    steps = F32(2.0) ** -np.array([5, 6, 7, 6, 5, 4], F32)
    constants = {"bs": steps, "bz": np.zeros(6, np.int8), "cs": steps * F32(2.0**-5)}
    model = product(
        bias="int32",
        swapped=swapped,
        between=between,
        constants=constants if by_column else {},
    )
    assert kinds(model) == [("QLinearMatMul", "R08")]
    assert_same_bits(model, {"a": A})


def test_r08_real_bias_behind_a_real_product() -> None:
    model = product(bias="float", quantized=False)
    assert kinds(model) == [("MatMulIntegerToFloat", "R07+R08")]
    assert_same_bits(model, {"a": A})


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            product(bias="int32", constants={"cs": F32(2.0**-10)}),
            "G10: the scale of bias dc is 0.0009765625 in channel 0, x_scale * w_scale is "
            "0.00048828125",
        ),
        (
            product(bias="int32", constants={"cz": np.int32(1)}),
            "G10: the zero point of bias dc is 1, must be 0",
        ),
        (
            product(bias="int32", constants={"c": ROW[:1]}),
            "G10: bias 'c' (1,) is no row of columns",
        ),
        (
            with_inputs(product(bias="int32"), "c")[0],
            "G10: the bias codes or scale of dc are computed, not constant",
        ),
        (product(bias="float"), "G10: bias 'cf' is float, the kernel adds int32 codes"),
        (
            product(bias="int32", outputs={"y": np.uint8, "mf": F32}),
            "G3: 'mf' is a graph output, so it must exist in float",
        ),
        (
            with_inputs(product(bias="int32", between=("Clip",)), "hi")[0],
            "G1: a bound of Clip t0 is computed, not constant",
        ),
    ],
)
def test_r08_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert refusals(model, "R08", off=["R07"]) == {reason}
    fed = with_inputs(model)[1] | {
        each.name: ROW if each.name == "c" else np.array(6, F32)
        for each in model.graph.input
        if each.name != "a"
    }
    assert_same_bits(model, {"a": A} | fed)


def test_r08b_is_asked_for() -> None:
    model = product(bias="float", constants={"cf": np.linspace(-1, 1, 6).astype(F32)})
    assert "R08b" not in fired(model)
    assert fired(model, opt_in=["R08b"]) == {"R08", "R08b"}
    assert [kind for kind, _ in kinds(model, opt_in=["R08b"])] == ["QLinearMatMul"]


def test_r08b_keeps_a_bias_of_whole_steps() -> None:
    model = product(bias="float", between=("Relu",))
    assert fired(model, opt_in=["R08b"]) == {"R08", "R08b"}
    assert_same_bits(model, {"a": A}, opt_in=["R08b"])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            product(bias="float", constants={"cf": np.full(6, 3e9, F32)}),
            "G10: bias 'cf' is 6.144e+12 steps in channel 0, beyond int32",
        ),
        (
            product(bias="float", constants={"cf": np.ones((4, 6), F32)}),
            "G10: bias 'cf' (4, 6) is no row of columns",
        ),
        (
            product(bias="float", constants={"cf": np.ones((1, 1, 6), F32)}),
            "G10: bias 'cf' (1, 1, 6) is no row of columns",
        ),
        (
            product(bias="float", quantized=False),
            "G3: 'sf' is a graph output, so it must exist in float",
        ),
    ],
)
def test_r08b_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert refusals(model, "R08b", off=["R07"]) == {reason}


@pytest.mark.parametrize(
    ("fault", "code"), [("F63", 255), ("F63.convert", 0), ("F63.reals", 0)]
)
def test_faults_round_a_float_bias_beyond_int32(fault: str, code: int) -> None:
    """Sums of 0 keep it from wrapping."""
    model = product(bias="float", constants={"cf": np.full(6, 3e9, F32), "az": np.uint8(3)})
    session = Session(model, faults=[fault])
    assert find(fault).places(session.plan())
    assert (session.run({"a": np.full_like(A, 3)})["y"] == code).all()


@pytest.mark.parametrize(
    ("shape", "columns", "rounded"),
    [
        ("", 1, True),
        ("[1]", 1, True),
        ("[1,1,1]", 1, True),
        ("[1,2]", 2, True),
        ("", 2, False),
    ],
)
def test_a_bias_for_each_column_has_any_axes(shape: str, columns: int, rounded: bool) -> None:
    """OpenCV 5.0.0: half a step of 2 is rounded to 0 wherever there are as many as columns."""
    ones, zeros = (", ".join([each] * columns) for each in "10")
    bias = ones if shape == f"[1,{columns}]" else "1"
    text = f"""<ir_version: 8, opset_import: ["" : 16]>
    row (int8[1,1,3] x) => (int8[1,1,{columns}] y)
       <float a = {{2}}, int8 b = {{0}}, int8[3,{columns}] c = {{{zeros}, {zeros}, {zeros}}},
        float d = {{1}}, float{shape} f = {{{bias}}}>
    {{
       i = DequantizeLinear (x, a, b)
       j = DequantizeLinear (c, d, b)
       k = MatMul (i, j)
       l = Add (k, f)
       y = QuantizeLinear (l, d, b)
    }}"""
    session = Session(onnx.parser.parse_model(text), faults=["F63"])
    y = session.run({"x": np.zeros((1, 1, 3), np.int8)})["y"]
    assert y.tolist() == [[[0 if rounded else 1] * columns]]
    assert bool(find("F63").places(session.plan())) == rounded


@pytest.mark.parametrize(("fault", "middle"), [("F63.reals", -64), ("F63", 108)])
def test_a_bias_of_16_bit_codes_is_rounded_as_a_real_only(fault: str, middle: int) -> None:
    """onnxruntime 1.31.1: 108 is more than 2**31 steps of 2**-12 * 2**-13, -64 is INT32_MIN of them."""
    text = """<ir_version: 12, opset_import: ["" : 21]>
    wide (int16[1,3] x) => (int16[1,3] y)
       <float a = {0.000244140625}, int16 b = {0}, int16[3,3] c = {0,0,0,0,0,0,0,0,0},
        float[3] d = {0.000244140625,0.0001220703125,0.000244140625}, int16[3] e = {0,0,0},
        float[3] f = {-67,108,-56}, float g = {1}>
    {
       i = DequantizeLinear (x, a, b)
       j = DequantizeLinear <axis: int = 1> (c, d, e)
       k = MatMul (i, j)
       l = Add (k, f)
       y = QuantizeLinear (l, g, b)
    }"""
    session = Session(onnx.parser.parse_model(text), faults=[fault])
    y = session.run({"x": np.zeros((1, 3), np.int16)})["y"]
    assert y.tolist() == [[-67, middle, -56]]
    assert find(fault).places(session.plan()) == (("l",) if middle < 0 else ())


def test_a_bias_that_is_rounded_and_stays_real_shows_where_its_codes_do() -> None:
    """The steps are 1, the codes all 0: reals of the same values are another result all the same."""
    text = """<ir_version: 12, opset_import: ["" : 21]>
    wide (uint16[1,2] x) => (uint16[1,2] y)
       <float a = {1}, uint16 b = {0}, int8[2,2] c = {0,0,0,0}, int8 d = {0},
        float[2] e = {0.375,0.125}, float g = {0.125}>
    {
       i = DequantizeLinear (x, a, b)
       j = DequantizeLinear (c, a, d)
       k = MatMul (i, j)
       l = Add (k, e)
       y = QuantizeLinear (l, g, b)
    }"""
    session = Session(onnx.parser.parse_model(text), faults=["F63.reals"])
    assert session.run({"x": np.zeros((1, 2), np.uint16)})["y"].tolist() == [[0, 0]]
    assert find("F63.reals").places(session.plan()) == ("l",)
