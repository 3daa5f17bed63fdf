"""Faults of matrix products show under their trigger and nowhere else."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import EngineError, Session, load
from engine.faults import find, matmul, matmul_pairs, matmul_results, matmul_rounding
from engine.faults.fault import Fault
from engine.profiles import PROFILES
from generators.graphs import draw_case
from tests.engine.models import Array, graph_model
from tests.engine.products import (
    COLUMNS,
    HALVES,
    SIGNED,
    SMALL,
    SQUARE,
    SQUARE_ROW,
    UNSIGNED,
    VARIED,
    codes,
    gemm,
    product,
    qgemm,
    with_float_bias,
)

FAULTS = (
    *matmul.FAULTS,
    *matmul_results.FAULTS,
    *matmul_rounding.FAULTS,
    *matmul_pairs.FAULTS,
)
ROW = np.arange(COLUMNS) * 9 + 100
TIES: dict[str, Any] = {"a_scale": 0.5, "b_scale": 0.5}
BY_TWO: dict[str, Any] = {"a_scale": 2.0, "b_scale": 2.0}
BIAS = np.arange(COLUMNS) * 999 + 1
FULL_BIAS = np.arange(8) * 999 + 1

PAIRS = {
    "F25.matmul": (product(SIGNED, a_zero=77), product(SIGNED, a_zero=0)),
    "F26.matmul": (product(UNSIGNED, b_zero=90), product(UNSIGNED)),
    "F27.matmul": (product(SIGNED, b_zero=30, a_zero=60), product(SIGNED, a_zero=60)),
    "F28.matmul": (
        product(SQUARE, b_zero=np.arange(8) * 9, b_scale=[0.05] * 8),
        product(UNSIGNED, b_zero=ROW, b_scale=[0.05] * COLUMNS),
    ),
    "F29.matmul": (
        product(UNSIGNED, b_zero=ROW, b_scale=[0.05] * COLUMNS),
        product(UNSIGNED, b_zero=[90] * COLUMNS, b_scale=[0.05] * COLUMNS),
    ),
    "F30.matmul": (product(SIGNED, a_dtype=np.int8, y=(0.5, 9)), product(SIGNED)),
    "F31.matmul": (
        product(SIGNED, a_dtype=np.int8, a_zero=60, y=(0.5, 9)),
        product(SIGNED, a_dtype=np.int8, a_zero=0, y=(0.5, 9)),
    ),
    "F33.matmul": (product(SIGNED), product(SIGNED, b_zero=1)),
    "F34.matmul": (product(UNSIGNED, b_zero=128), product(UNSIGNED // 2, b_zero=128)),
    "F35.matmul": (product(SIGNED), product(SIGNED, a_dtype=np.int8, y=(0.5, 9))),
    "F50.matmul": (product(SIGNED, **VARIED), product(SIGNED, b_scale=[0.1] * COLUMNS)),
    "F52.matmul": (product(SIGNED, **VARIED), product(SIGNED, b_scale=[0.1] * COLUMNS)),
    "F116": (qgemm(SQUARE, transB=1), qgemm(SQUARE)),
    "F123": (product(SIGNED, shape=(2, 7)), product(SIGNED, shape=(2, 6))),
    "F58.matmul": (
        gemm(SQUARE, b_scale=SQUARE_ROW, axis=0),
        gemm(SIGNED, b_scale=SQUARE_ROW[:7], axis=0),
    ),
    "F79a.matmul": (product(SIGNED), product(HALVES)),
    "F64.matmul": (qgemm(SIGNED, BIAS), qgemm(SQUARE, FULL_BIAS)),
    "F64.matmul.whole": (qgemm(SQUARE, FULL_BIAS), qgemm(SQUARE, FULL_BIAS * 0)),
    "F63.matmul": (with_float_bias(0.3), with_float_bias(2.0)),
    "F60e": (
        product(SIGNED, **VARIED, shape=(COLUMNS,)),
        product(SIGNED, **VARIED, shape=(4,)),
    ),
    "F36.matmul": (gemm(SIGNED, y=(0.5, np.int8(9))), gemm(SIGNED)),
    "F38.matmul": (product(SIGNED, y=(0.05, 100)), product(SIGNED, y=(9.0, 100))),
    "F74.matmul": (product(SIGNED), product(SIGNED, y=(0.5, 0))),
    "F54.matmul": (product(SIGNED), product(HALVES, y=(1.0, 9), a_scale=1, b_scale=1)),
    "F60a.matmul": (product(SIGNED), product(SIGNED, y=(900.0, 100))),
    "F60b.matmul": (product(SMALL // 2, a_scale=2, b_scale=1, y=(1.0, 100)), product(SIGNED)),
    "F81.matmul": (gemm(SIGNED, after=("Relu",)), gemm(SIGNED, after=("Clip",))),
    "F84.matmul": (gemm(SIGNED, after=("Clip",)), gemm(SIGNED, after=("Relu",))),
    "F61.matmul": (qgemm(SIGNED, BIAS), qgemm(SIGNED, BIAS * 0)),
    "F62": (gemm(SIGNED, bias=True, alpha=0.5), gemm(SIGNED, alpha=0.5)),
    "F62.beta": (gemm(SIGNED, bias=True, beta=0.5), gemm(SIGNED, beta=0.5)),
    "F70.matmul": (product(SMALL, **TIES, y=(4.0, 100)), product(SIGNED)),
    "F70.matmul.rest": (
        product(SMALL, **TIES, y=(4.0, 100)),
        product(np.hstack([SMALL, SMALL[:, :3]]), **TIES, y=(4.0, 100)),
    ),
    "F71.matmul": (product(SMALL, **TIES, y=(4.0, 100)), product(SIGNED)),
    "F75.matmul": (
        product(SMALL, **TIES, y=(4.0, 101)),
        product(SMALL, **TIES, y=(4.0, 100)),
    ),
    "F72.matmul": (product(SIGNED), product(SIGNED, **BY_TWO, y=(1.0, 100))),
    "F73a.matmul": (product(SIGNED), product(SIGNED, **BY_TWO, y=(1.0, 100))),
    "F77.matmul": (
        product(SMALL, y=(1.0, 100), a_scale=0.75, b_scale=0.25),
        product(SMALL, y=(1.0, 100), a_scale=0.75, b_scale=1.0),
    ),
    "F80.matmul": (
        gemm(SIGNED, after=("Relu",), y=(0.5, np.int8(20))),
        gemm(SIGNED, after=("Relu",)),
    ),
    "F80b.matmul": (
        gemm(SIGNED, after=("Relu",)),
        gemm(SIGNED, after=("Relu",), a_zero=100),
    ),
    "F83.matmul": (gemm(SIGNED, after=("Clip",)), gemm(SIGNED, after=("Relu",))),
}


ROUNDINGS = ("F70", "F71", "F72", "F73a", "F75", "F77")


def places(model: Any, fault: Fault, profile: str = "spec") -> tuple[str, ...]:
    return fault.places(Session(model, profile=profile, faults=[fault.key]).plan())


def both(
    model: Any, fault: Fault, inputs: dict[str, Array], profile: str = "spec"
) -> tuple[Array, Array]:
    correct, faulty = (
        Session(model, profile=profile, faults=faults).run(inputs)
        for faults in ((), (fault.key,))
    )
    (name,) = correct
    return correct[name], faulty[name]


def same(model: onnx.ModelProto, fault: Fault, profile: str = "spec") -> bool:
    given = model.graph.input[0].type.tensor_type
    shape = [each.dim_value for each in given.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(given.elem_type)
    correct, faulty = both(model, fault, {"a": codes(*shape, dtype=dtype)}, profile)
    return bool((correct == faulty).all())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_under_its_trigger_and_not_outside(fault: Fault) -> None:
    shows, decoy = PAIRS[fault.key]
    assert "m1" in places(shows, fault)
    assert not same(shows, fault)
    assert not places(decoy, fault)
    assert same(decoy, fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_never_shows_where_its_trigger_is_off(fault: Fault) -> None:
    quiet = 0
    for seed in range(70):
        case = draw_case("matmul", "any", seed)
        graph = load(case.model)
        try:
            if not places(graph, fault):
                quiet += 1
                correct, faulty = both(graph, fault, dict(case.inputs))
                assert (correct == faulty).all(), case.origin
        except EngineError:
            continue
    assert quiet


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_in_every_profile(fault: Fault, profile: str) -> None:
    shows = PAIRS[fault.key][0]
    assert places(shows, fault, profile)
    if fault.id not in ROUNDINGS:  # a profile may have rounded before, or without its ties
        assert not same(shows, fault, profile)


def test_pairs_are_the_formula() -> None:
    """``clip(u0*s0 + u1*s1)`` with the zero point taken back exactly."""
    b = np.array([[127], [127], [-90]], np.int8)
    model = product(b, a_zero=5, y=(100.0, 3), shape=(1,), a_scale=1, b_scale=1)
    a = np.array([[255, 200, 9]], np.uint8)
    exact = (255 - 5) * 127 + (200 - 5) * 127 - (9 - 5) * 90
    pairs = 32767 - 9 * 90 - 5 * (127 + 127 - 90)
    found = [
        Session(model, faults=faults).run({"a": a})["y"] for faults in ((), ["F79a.matmul"])
    ]
    assert [int(each.item()) for each in found] == [min(round(exact / 100) + 3, 255), 255]
    small = product(b, a_zero=5, y=(200.0, 3), shape=(1,), a_scale=1, b_scale=1)
    faulty = Session(small, faults=["F79a.matmul"]).run({"a": a})["y"].item()
    assert faulty == round(pairs / 200) + 3


def test_pairs_with_a_zero_point_that_the_data_decide() -> None:
    """Reals from -128 to 127 have the scale 1 and the zero point 128: codes 255, 255 and 0."""
    b = np.array([[127], [127], [1]], np.int8)
    constants: dict[str, Array] = {
        "b": b,
        "s": np.array(1, np.float32),
        "z": np.array(0, np.int8),
    }
    node = onnx.helper.make_node(
        "DynamicQuantizeMatMul", ["a", "b", "s", "z"], ["y"], domain="com.microsoft"
    )
    model = graph_model([node], {"a": (np.float32, [1, 3])}, {"y": np.float32}, constants)
    a = np.array([[127, 127, -128]], np.float32)
    found = [
        Session(model, faults=faults).run({"a": a})["y"].item()
        for faults in ((), ["F79a.matmul"])
    ]
    assert found == [2 * 127 * 127 - 128, 32767 - 128 * (127 + 127 + 1)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("", [98, 100, 100, 102]),
        ("F70.matmul", [98, 99, 101, 102]),
        ("F71.matmul", [99, 100, 101, 102]),
        ("F72.matmul", [99, 100, 100, 101]),
        ("F73a.matmul", [98, 99, 100, 101]),
        ("F60a.matmul", [97, 99, 101, 103]),
    ],
)
def test_roundings_by_hand(fault: str, expected: list[int]) -> None:
    """Steps of -1.5, -0.5, 0.5 and 1.5 from the zero point 100."""
    model = product(
        np.ones((1, 1), np.int8), a_zero=10, y=(2.0, 100), a_scale=1, b_scale=1, shape=(4,)
    )
    a = np.array([[7], [9], [11], [13]], np.uint8)
    faults = [fault] if fault else []
    assert Session(model, faults=faults).run({"a": a})["y"].reshape(-1).tolist() == expected


def test_ties_in_the_columns_left_over() -> None:
    """Half a step below the zero point 100 in each of nine columns."""
    model = product(
        np.ones((1, 9), np.int8), a_zero=10, y=(2.0, 100), a_scale=1, b_scale=1, shape=(1,)
    )
    found = Session(model, faults=["F70.matmul.rest"]).run({"a": np.array([[9]], np.uint8)})
    assert found["y"].reshape(-1).tolist() == [100] * 8 + [99]


def test_a_float_bias_is_clipped_to_int32() -> None:
    """Steps of 0.5 * 0.25: 10**9 is beyond 2**31 - 1 of them."""
    model = with_float_bias(0.25)
    bias = np.array([0, 1, 10**9, -(10**9), 0.07], np.float32)
    model.graph.initializer[-1].CopyFrom(onnx.numpy_helper.from_array(bias, "bias"))
    a = np.full((4, 7), 3, np.uint8)
    y = Session(model, faults=["F63.matmul"]).run({"a": a})["y"][0]
    assert y.tolist() == [0, 1, 2.0**28, -(2.0**28), 0.125]


def test_computed_operands_have_places_too() -> None:
    """b is a graph input: the record has every code that it may hold."""
    constants: dict[str, Any] = {
        "s": np.float32(0.1),
        "z": np.uint8(3),
    }
    node = onnx.helper.make_node(
        "QLinearMatMul", ["a", "s", "z", "b", "s", "z", "s", "z"], ["y"], name="m1"
    )
    given = {"a": (np.uint8, [3, 4]), "b": (np.uint8, [4, 2])}
    model = graph_model([node], given, {"y": np.uint8}, constants, 21)
    for key in ("F25.matmul", "F34.matmul", "F79a.matmul", "F38.matmul"):
        assert places(model, find(key)) == ("m1",)
    assert not places(model, find("F33.matmul"))
