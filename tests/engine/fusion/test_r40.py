"""R40: a QuantizeLinear that undoes a DequantizeLinear, in every type of codes."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from engine import Session
from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.fusion.pairs import every_code, pair_model

INTEGERS = [np.int8, np.uint8, np.int16, np.uint16]
SMALL = [ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2]
FLOATS = [
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e4m3fnuz,
    ml_dtypes.float8_e5m2,
    ml_dtypes.float8_e5m2fnuz,
    ml_dtypes.float4_e2m1fn,
    ml_dtypes.float6_e2m3fn,
    ml_dtypes.float6_e3m2fn,
]


@pytest.mark.parametrize("scale", [2.0**-126, 1e-40, 0.1, 0.3, 1.0, 7.0, -0.7, 2.0**20])
@pytest.mark.parametrize("dtype", INTEGERS + SMALL)
def test_every_code_of_every_integer_type_survives(dtype: Any, scale: float) -> None:
    codes = every_code(dtype)
    zero = int(codes[len(codes) // 3])
    model = pair_model((dtype, dtype), (scale, scale), (zero, zero), codes.shape, opset=25)
    assert fired(model) == {"R40"}
    assert_same_bits(model, {"x": codes})
    assert (Session(model).run({"x": codes})["y"] == codes).all()


@pytest.mark.parametrize("scale", [2.0**-90, 0.1, 1.0, 3.0, -0.7, 2.0**20])
@pytest.mark.parametrize("dtype", FLOATS)
def test_every_bit_pattern_of_a_float_number_survives(dtype: Any, scale: float) -> None:
    codes = every_code(dtype)
    more = {"saturate": 0}
    model = pair_model(
        (dtype, dtype), (scale, scale), None, codes.shape, second=more, opset=28
    )
    assert fired(model) == {"R40"}
    off = Session(model, fusion="off").run({"x": codes})["y"]
    a_number = ~np.isnan(codes.astype(np.float32))
    assert (np.isnan(off.astype(np.float32)) == ~a_number).all()
    assert off[a_number].tobytes() == codes[a_number].tobytes()
    assert Session(model).run({"x": codes})["y"].tobytes() == codes.tobytes()


@given(
    st.floats(2.0**-140, 2.0**110, width=32),
    st.sampled_from([np.int8, np.uint16]),
    st.integers(0, 127),
)
def test_any_scale(scale: float, dtype: Any, zero: int) -> None:
    codes = every_code(dtype)
    model = pair_model((dtype, dtype), (scale, scale), (zero, zero), codes.shape)
    assert (Session(model, fusion="off").run({"x": codes})["y"] == codes).all()


@pytest.mark.parametrize(
    ("axis", "size"), [({"axis": 0}, (4,)), ({"axis": -1}, (8,)), ({"axis": 1}, (8,))]
)
def test_one_scale_a_channel(axis: dict[str, int], size: tuple[int, ...]) -> None:
    scales = np.linspace(0.1, 0.9, size[0])
    zeros = np.arange(size[0])
    model = pair_model(
        scales=(scales, scales), zeros=(zeros, zeros), shape=(4, 8), first=axis, second=axis
    )
    assert fired(model) == {"R40"}
    assert_same_bits(model, {"x": np.arange(32, dtype=np.uint8).reshape(4, 8)})


def test_one_scale_a_block() -> None:
    scales = np.linspace(0.1, 0.9, 12).reshape(4, 3)
    how = {"axis": 1, "block_size": 3}
    model = pair_model(
        scales=(scales, scales),
        zeros=(scales * 10, scales * 10),
        shape=(4, 8),
        first=how,
        second=how,
    )
    assert fired(model) == {"R40"}
    assert_same_bits(model, {"x": np.arange(32, dtype=np.uint8).reshape(4, 8)})


ROW = np.linspace(0.1, 0.9, 4)
HALF: dict[str, Any] = {"real": np.float16}


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        (
            {"scales": (0.5, np.nextafter(np.float32(0.5), np.float32(1)))},
            "G5: D and Q differ: scale 0.5 and 0.5000000596046448",
        ),
        ({"zeros": (7, 8)}, "G5: D and Q differ: zero point 7 and 8"),
        ({"dtypes": (np.int8, np.uint8)}, "G5: D and Q have int8 and uint8 codes"),
        (
            {"scales": (ROW, ROW * [1, 1, 2, 1]), "zeros": None, "shape": (4, 4)},
            "G5: D and Q differ: scale 2 0.6333333253860474 and 1.2666666507720947",
        ),
        (
            {"scales": (0.5, ROW), "zeros": None, "shape": (4, 4)},
            "G5: D and Q differ: scales () and (4,)",
        ),
        (
            {"scales": (ROW, ROW), "zeros": None, "shape": (4, 4), "first": {"axis": 0}},
            "G5: D and Q differ: axis 0 and 1",
        ),
        (
            {
                "scales": (ROW.reshape(1, 4), ROW.reshape(1, 4)),
                "zeros": None,
                "shape": (1, 8),
                "first": {"block_size": 2},
                "second": {"block_size": 3},
            },
            "G5: D and Q differ: block_size 2 and 3",
        ),
        (
            {"scales": (3e38, 3e38)},
            "G6: the scale 3.0000000054977558e+38 of D overflows float32 times 255",
        ),
        (
            {"scales": (300.0, 300.0), **HALF},
            "G6: the scale 300.0 of D overflows float16 times 255",
        ),
        (
            {"dtypes": (np.int16, np.int16), **HALF},
            "G7: float16 between D and Q is too short for int16",
        ),
        (
            {"real": ml_dtypes.bfloat16},
            "G7: bfloat16 between D and Q is too short for uint8",
        ),
        (
            {"second": {"precision": TensorProto.FLOAT16}},
            "G7: D works in float32, Q in float16, not in one type",
        ),
        (
            {"dtypes": (FLOATS[0], FLOATS[0]), "zeros": (1, 1)},
            "G7: D has float8_e4m3fn codes and a zero point other than 0",
        ),
        (
            {"dtypes": (FLOATS[0], FLOATS[0]), "zeros": None, **HALF},
            "G7: float16 between D and Q is too short for float8_e4m3fn",
        ),
        (
            {"dtypes": (FLOATS[2], FLOATS[2]), "zeros": None},
            "G7: Q saturates, which would change infinite codes",
        ),
        (
            {"dtypes": (FLOATS[4], FLOATS[4]), "zeros": (0, 0)},
            "G7: Q adds a zero point, which makes code 0 of code -0",
        ),
        (
            {"dtypes": (FLOATS[0], FLOATS[0]), "zeros": None, "scales": (1e37, 1e37)},
            "G6: a scale of D, 1.0 to 9.999999933815813e+36, leaves float32 times a code",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(given_: dict[str, Any], reason: str) -> None:
    model = pair_model(**given_)
    assert refusals(model, "R40", ["R25", "R43"]) == {reason}
    assert "R40" not in fired(model)


def test_a_computed_scale_stops_it() -> None:
    model = pair_model()
    del model.graph.initializer[1]
    scale = model.graph.input.add()
    scale.name = "s2"
    scale.type.tensor_type.elem_type = TensorProto.FLOAT
    assert refusals(model, "R40") == {"G1: the scale 's2' of Q is computed, not constant"}


def test_half_precision_keeps_eight_bits() -> None:
    model = pair_model(**HALF)
    assert fired(model) == {"R40"}
    assert_same_bits(model, {"x": every_code(np.uint8)})
