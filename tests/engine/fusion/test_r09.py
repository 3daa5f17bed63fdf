"""R09, with R04: Gemm between DequantizeLinear and QuantizeLinear."""

from typing import Any

import numpy as np
import onnx
import pytest

from tests.engine.fusion.checks import assert_inside, assert_same_bits, refusals
from tests.engine.fusion.product_models import F32, ROW, A, B, kinds, product, with_inputs

COLUMNS = F32(2.0) ** -np.array([5, 6, 7, 6, 5, 4], F32)


@pytest.mark.parametrize("bias", ["", "int32"])
@pytest.mark.parametrize("turned", [0, 1])
@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize(("between", "rule"), [((), "R09"), (("Relu",), "R04")])
def test_it_fires_and_keeps_values(
    bias: str, turned: int, by_column: bool, between: tuple[str, ...], rule: str
) -> None:
    constants: dict[str, Any] = {"b": B.T.copy() if turned else B}
    if by_column:
        constants |= {"bs": COLUMNS, "bz": np.zeros(6, np.int8), "cs": COLUMNS * F32(2.0**-5)}
    model = product(
        "Gemm",
        bias=bias,
        between=between,
        constants=constants,
        b_attributes={"axis": 1 - turned},
        transB=turned,
    )
    assert kinds(model) == [("QGemm", rule)]
    assert_same_bits(model, {"a": A})


def test_a_may_be_turned() -> None:
    model = product("Gemm", a_shape=(8, 4), transA=1)
    assert kinds(model) == [("QGemm", "R09")]
    assert_same_bits(model, {"a": A.T.copy()})


def test_alpha_without_a_bias() -> None:
    model = product("Gemm", alpha=0.5)
    assert kinds(model) == [("QGemm", "R09")]
    assert_same_bits(model, {"a": A})


def test_any_scale_stays_inside_the_set() -> None:
    scales = {"as": F32(0.1), "bs": F32(0.013), "ys": F32(0.7)}
    scales["cs"] = scales["as"] * scales["bs"]
    model = product("Gemm", bias="int32", constants=scales)
    assert kinds(model) == [("QGemm", "R09")]
    assert_inside(model, {"a": A})


def test_a_bias_of_one_row() -> None:
    model = product("Gemm", bias="int32", constants={"c": ROW.reshape(1, 6)})
    assert kinds(model) == [("QGemm", "R09")]
    assert_same_bits(model, {"a": A})


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            product("Gemm", bias="int32", alpha=0.5),
            "G11: alpha of m1 is 0.5, with a bias it must be 1",
        ),
        (
            product("Gemm", bias="int32", beta=2.0),
            "G11: beta of m1 is 2.0, with a bias it must be 1",
        ),
        (
            product("Gemm", bias="float"),
            "G10: bias 'cf' is float, the kernel adds int32 codes",
        ),
        (
            product("Gemm", bias="int32", constants={"cs": F32(2.0**-10)}),
            "G10: the scale of bias dc is 0.0009765625 in channel 0, x_scale * w_scale is "
            "0.00048828125",
        ),
        (
            product("Gemm", bias="int32", constants={"c": np.tile(ROW, (4, 1))}),
            "G10: bias 'c' (4, 6) is no row of columns",
        ),
        (
            product("Gemm", outputs={"y": np.uint8, "mf": F32}),
            "G3: 'mf' is a graph output, so it must exist in float",
        ),
        (
            product(
                "Gemm",
                constants={"bs": COLUMNS, "bz": np.zeros(6, np.int8), "b": B[:6]},
                b_attributes={"axis": 0},
                a_shape=(4, 6),
            ),
            "G9: the weight scales of db are on axis 0, a product needs 1",
        ),
        (
            with_inputs(product("Gemm"), "bs")[0],
            "G1: the scale 'bs' of db is computed, not constant",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert reason in refusals(model, "R09", off=["R07"])
    assert "QGemm" not in {kind for kind, _ in kinds(model, fusion=["R07"])}


@pytest.mark.parametrize(
    "factors", [{"alpha": 0.5}, {"beta": 2.0}, {"alpha": 0.5, "beta": 2.0}]
)
def test_factors_beside_a_bias_keep_their_values(factors: dict[str, Any]) -> None:
    assert_same_bits(product("Gemm", bias="int32", **factors), {"a": A})
