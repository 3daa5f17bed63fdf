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
from tests.engine.models import Array, graph_model, scalar_or_row

FAULTS = (
    *matmul.FAULTS,
    *matmul_results.FAULTS,
    *matmul_rounding.FAULTS,
    *matmul_pairs.FAULTS,
)
COLUMNS = 5
SIGNED = np.random.default_rng(3).integers(-128, 128, (7, COLUMNS)).astype(np.int8)
UNSIGNED = SIGNED.view(np.uint8)
SQUARE = np.random.default_rng(4).integers(-128, 128, (8, 8)).astype(np.int8)
SMALL = (SIGNED // 32).astype(np.int8)
HALVES = np.abs(SIGNED // 2)
VARIED: dict[str, Any] = {"b_scale": np.linspace(0.01, 0.1, COLUMNS)}
SQUARE_ROW = np.linspace(0.01, 0.1, 8)


def codes(*shape: int, dtype: Any = np.uint8) -> Array:
    info = np.iinfo(dtype)
    return np.random.default_rng(5).integers(info.min, info.max + 1, shape).astype(dtype)


def product(
    b: Array,
    *,
    a_zero: int = 3,
    a_dtype: Any = np.uint8,
    b_scale: Any = 0.01,
    b_zero: Any = 0,
    y: tuple[float, int] = (0.5, 100),
    shape: tuple[int, ...] = (4,),
    a_scale: float = 0.02,
) -> onnx.ModelProto:
    """A QLinearMatMul "m1" of codes "a" of (*shape, K)."""
    constants: dict[str, Any] = {
        "as": np.float32(a_scale),
        "az": np.array(a_zero, a_dtype),
        "b": b,
        "bs": scalar_or_row(b_scale, np.float32),
        "bz": scalar_or_row(b_zero, b.dtype),
        "ys": np.float32(y[0]),
        "yz": np.array(y[1], a_dtype),
    }
    node = onnx.helper.make_node("QLinearMatMul", ["a", *constants], ["y"], name="m1")
    given = {"a": (a_dtype, [*shape, b.shape[0]])}
    return graph_model([node], given, {"y": a_dtype}, constants, 21)


def qgemm(b: Array, bias: Array | None = None, **attributes: Any) -> onnx.ModelProto:
    """A QGemm "m1" of 4 rows, y in steps of 0.5 from 100."""
    constants: dict[str, Any] = {
        "as": np.float32(0.02),
        "az": np.uint8(3),
        "b": b,
        "bs": np.float32(0.01),
        "bz": np.int8(0),
        "c": np.zeros(1, np.int32) if bias is None else bias.astype(np.int32),
        "ys": np.float32(0.5),
        "yz": np.uint8(100),
    }
    inputs = ["a", *(each if bias is not None or each != "c" else "" for each in constants)]
    node = onnx.helper.make_node(
        "QGemm", inputs, ["y"], name="m1", domain="com.microsoft", **attributes
    )
    if bias is None:
        del constants["c"]
    depth = b.shape[1 if attributes.get("transB") else 0]
    model = graph_model([node], {"a": (np.uint8, [4, depth])}, {"y": np.uint8}, constants, 21)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return model


def gemm(
    b: Array,
    *,
    b_scale: Any = 0.01,
    axis: int = 1,
    bias: bool = False,
    after: tuple[str, ...] = (),
    y: tuple[float, Any] = (0.5, np.uint8(100)),
    a_zero: int = 3,
    **attributes: Any,
) -> onnx.ModelProto:
    """D, D -> Gemm "m1" -> Relu or Clip to [0, 6] -> Q "q"; uint8 activations."""
    constants: dict[str, Any] = {
        "as": np.float32(0.02),
        "az": np.uint8(a_zero),
        "b": b,
        "bs": scalar_or_row(b_scale, np.float32),
        "c": np.arange(b.shape[1], dtype=np.int32) * 3000 + 1000,
        "cs": np.float32(0.02) * np.float32(0.01),
        "ys": np.float32(y[0]),
        "yz": y[1],
        "low": np.float32(0),
        "high": np.float32(6),
    }
    make = onnx.helper.make_node
    nodes = [
        make("DequantizeLinear", ["a", "as", "az"], ["ar"], name="da"),
        make("DequantizeLinear", ["b", "bs"], ["br"], name="db", axis=axis),
        *([make("DequantizeLinear", ["c", "cs"], ["cr"], name="dc")] if bias else []),
        make("Gemm", ["ar", "br", *(["cr"] if bias else [])], ["g"], name="m1", **attributes),
    ]
    last = "g"
    for op in after:
        bounds = ["low", "high"] if op == "Clip" else []
        nodes.append(make(op, [last, *bounds], ["t"], name="t1"))
        last = "t"
    nodes.append(make("QuantizeLinear", [last, "ys", "yz"], ["y"], name="q"))
    given = {"a": (np.uint8, [4, b.shape[0]])}
    return graph_model(nodes, given, {"y": y[1].dtype}, constants, 21)


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
    "F80.matmul": (gemm(SIGNED, after=("Relu",)), gemm(SIGNED, after=("Clip",))),
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
