"""Faults of tables show under their trigger and nowhere else."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import EngineError, Session
from engine.faults import find, table_bounds, tables
from engine.faults.fault import Fault
from engine.faults.roundings import half_up
from engine.faults.tables import codes_of_255_steps
from engine.kernels.elementwise import ClipParameters
from engine.kernels.table import TableParameters
from generators.graphs import draw_case
from tests.engine.models import Array, graph_model

FAULTS = tuple(
    each
    for each in (*tables.FAULTS, *table_bounds.FAULTS)
    if each.record is not ClipParameters
)
EVERY = np.arange(256, dtype=np.uint8)


def unary(
    op: str,
    x: tuple[float, int] = (0.0625, 3),
    y: tuple[float, int] = (0.0237, -7),
    *,
    dtype: Any = np.int8,
    bounds: tuple[float, ...] = (),
    **attributes: Any,
) -> onnx.ModelProto:
    """Nodes dx, f1, qy around one function of all 256 codes."""
    node = onnx.helper.make_node
    constants: dict[str, Any] = {
        "xs": np.float32(x[0]),
        "xz": np.array(x[1], dtype),
        "ys": np.float32(y[0]),
        "yz": np.array(y[1], dtype),
    } | {f"b{i}": np.float32(each) for i, each in enumerate(bounds)}
    names = [f"b{i}" for i in range(len(bounds))]
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], ["xf"], name="dx"),
        node(op, ["xf", *names], ["yf"], name="f1", **attributes),
        node("QuantizeLinear", ["yf", "ys", "yz"], ["y"], name="qy"),
    ]
    return graph_model(nodes, {"x": (dtype, [256])}, {"y": dtype}, constants, 17)


LEAKY: dict[str, Any] = {"alpha": 0.25}
HALF: dict[str, Any] = {"x": (0.5, 3), "y": (1.0, 4)}
PAIRS = {
    "F82": (unary("LeakyRelu", **LEAKY), unary("LeakyRelu", alpha=1e-5)),
    "F80.table": (unary("Relu"), unary("Relu", y=(0.0237, 0))),
    "F83.table": (
        unary("Clip", bounds=(0.0, 1.5)),
        unary("Clip", y=(1.0, 0), x=(0.5, 3), bounds=(0.0, 6.0)),
    ),
    "F84.table": (
        unary("Clip", bounds=(0.0, 1.5)),
        unary("Clip", x=(0.0625, 3), y=(0.0625, 3), bounds=(0.0, 1.5)),
    ),
    "F84.input": (
        unary("Clip", bounds=(0.0, 1.4)),
        unary("Clip", bounds=(-0.5, 1.5)),
    ),
    "F86": (unary("Sigmoid"), unary("Sigmoid", y=(0.0237, 7), dtype=np.uint8)),
    "F86b": (unary("Sigmoid"), unary("Sigmoid", x=(0.0625, 0))),
    "F86b.swapped": (unary("LeakyRelu", **LEAKY), unary("LeakyRelu", y=(0.0625, 3), **LEAKY)),
    "F86c": (unary("LeakyRelu", **LEAKY), unary("LeakyRelu", y=(0.0237, 7), dtype=np.uint8)),
    "F86d": (unary("LeakyRelu", **LEAKY), unary("LeakyRelu", y=(0.0625, 9), **LEAKY)),
    "F70.table": (unary("Abs", **HALF), unary("Abs", x=(1.0, 3), y=(1.0, 4))),
    "F71.table": (unary("Abs", **HALF), unary("Abs", x=(1.0, 3), y=(1.0, 4))),
    "F75.table": (unary("Abs", x=(0.5, 3), y=(1.0, 5)), unary("Abs", **HALF)),
    "F72.table": (unary("Abs", **HALF), unary("Abs", x=(1.0, 3), y=(1.0, 4))),
    "F73a.table": (unary("Abs", **HALF), unary("Abs", x=(1.0, 3), y=(1.0, 4))),
    "F38.table": (unary("Abs"), unary("Sigmoid", y=(0.05, 0))),
    "F128.table": (unary("Abs", **HALF), unary("Relu", x=(1.0, 3), y=(1.0, 3))),
    "F128.table.clipped": (unary("Abs", **HALF), unary("Relu", x=(1.0, 3), y=(1.0, 3))),
}


def places(model: onnx.ModelProto, fault: Fault) -> tuple[str, ...]:
    return fault.places(Session(model, faults=[fault.key]).plan())


def outputs(model: onnx.ModelProto, *faults: str, profile: str = "spec") -> Array:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(
        model.graph.input[0].type.tensor_type.elem_type
    )
    x = {"x": EVERY.view(dtype)}
    return Session(model, profile=profile, faults=faults).run(x)["y"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_under_its_trigger_and_not_outside(fault: Fault) -> None:
    shows, decoy = PAIRS[fault.key]
    assert places(shows, fault) == ("dx", "f1", "qy")
    assert (outputs(shows) != outputs(shows, fault.key)).any()
    assert not places(decoy, fault)
    assert (outputs(decoy) == outputs(decoy, fault.key)).all()


@pytest.mark.parametrize("profile", ["ort", "fbgemm", "opencv", "tflite"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_in_every_profile(fault: Fault, profile: str) -> None:
    shows, _ = PAIRS[fault.key]
    if fault.id in ("F70", "F71", "F75"):  # a profile may round that way itself
        return
    right, wrong = (outputs(shows, *keys, profile=profile) for keys in ((), (fault.key,)))
    assert (right != wrong).any()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_never_shows_where_its_trigger_is_off(fault: Fault) -> None:
    tables = quiet = 0
    for seed in range(60):
        case = draw_case("elementwise", "any", seed)
        try:
            session = Session(case.model)
            right = session.run(case.inputs)
        except EngineError:
            continue
        if any(isinstance(each.parameters, TableParameters) for each in session.plan().steps):
            tables += 1
            faulty = Session(case.model, faults=[fault.key])
            if not fault.places(faulty.plan()):
                quiet += 1
                wrong = faulty.run(case.inputs)
                assert all(np.array_equal(wrong[name], right[name]) for name in right)
    assert tables > 10
    assert quiet or fault.id in ("F86b", "F86d", "F72", "F73a", "F38", "F128")


def test_a_table_of_255_steps_has_half_of_the_codes_one_off() -> None:
    codes = codes_of_255_steps(np.dtype(np.int8))
    difference = codes.astype(int) - np.arange(-128, 128)
    assert set(difference.tolist()) == {0, 1}
    assert int(difference.sum()) == 128
    shows, _ = PAIRS["F86c"]
    right, wrong = outputs(shows), outputs(shows, "F86c")
    read = codes.astype(np.int64) + 128  # the entry that each code reads, lowest first
    order = np.roll(np.arange(256), 128)  # the place of each code in the input
    assert (wrong[order] == right[order][read]).all()


def test_an_int8_code_reads_the_entry_128_further() -> None:
    shows, _ = PAIRS["F86"]
    assert (outputs(shows, "F86") == np.roll(outputs(shows), 128)).all()


def test_the_numbers_of_rounding() -> None:
    """|x| in halves: q - 3 steps of 0.5, output steps of 1, zero point 4."""
    shows, _ = PAIRS["F70.table"]
    steps = np.abs(EVERY.view(np.int8).astype(int) - 3) / 2
    by_hand = {
        "F70.table": np.floor(steps + 0.5),
        "F71.table": np.floor(steps + 0.5),
        "F72.table": np.floor(steps),
        "F73a.table": np.floor(steps),
    }
    for key, rounded in by_hand.items():
        assert (outputs(shows, key) == rounded + 4).all(), key
    assert half_up(np.array([-1.5, -0.5, 0.5, 2.5, 0.49999997])).tolist() == [-1, 0, 1, 3, 0]


def test_the_bounds_of_a_clip() -> None:
    """x in steps of 0.0625 about 3, y in steps of 0.0237 about -7, clipped to 0 .. 1.5."""
    shows, _ = PAIRS["F83.table"]
    unclipped = np.rint((EVERY.view(np.int8).astype(int) - 3) * 0.0625 / 0.0237) - 7
    assert (outputs(shows) == np.clip(unclipped, -7, 56)).all()
    assert (outputs(shows, "F83.table") == np.clip(unclipped, 0, 2)).all()
    assert (outputs(shows, "F84.table") == np.clip(unclipped, 3, 27)).all()


@pytest.mark.parametrize(
    ("zero", "bounds", "codes"),
    [(0, (-3.0, 5.0), [0, 0, 0, 4, 4]), (3, (-3.0, 3.0), [-2, -2, -2, -2, 2])],
)
def test_bounds_that_are_cut_to_codes_of_the_input(
    zero: int, bounds: tuple[float, float], codes: list[int]
) -> None:
    """OpenVINO 2026.4.1 on -9, -1, 0, 1, 3 at scale 4; -3/4 + 3 is cut to 2, 3/4 + 3 to 3."""
    model = unary("Clip", x=(4.0, zero), y=(1.0, 2 if zero else 0), bounds=bounds)
    table = outputs(model, "F84.input")
    expected = [table[np.array(each, np.int8).view(np.uint8)] for each in (-9, -1, 0, 1, 3)]
    assert expected == codes


@pytest.mark.parametrize(
    ("zero", "bounds", "reals"),
    [(0, (-3.0, 5.0), [0, 0, 4, 4]), (3, (-3.0, 5.0), [-4, 0, 4, 4])],
)
def test_bounds_of_reals_that_are_cut_to_codes(
    zero: int, bounds: tuple[float, float], reals: list[float]
) -> None:
    """OpenVINO 2026.4.1 behind a QuantizeLinear, of codes -2, 0, 1 and 20 from the zero point on."""
    constants: dict[str, Any] = {"s": np.float32(4), "z": np.array(zero, np.int8)}
    constants |= {f"b{i}": np.float32(each) for i, each in enumerate(bounds)}
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["x", "s", "z"], ["r"], name="d"),
        onnx.helper.make_node("Clip", ["r", "b0", "b1"], ["y"], name="c"),
    ]
    model = graph_model(nodes, {"x": (np.int8, [4])}, {"y": np.float32}, constants, 17)
    session = Session(model, faults=["F84.input"])
    x = np.array([-2, 0, 1, 20], np.int8) + np.int8(zero)
    assert session.run({"x": x})["y"].tolist() == reals
    assert find("F84.input").places(session.plan()) == ("c",)


def test_behind_a_product_with_0_no_bound_is_cut() -> None:
    constants: dict[str, Any] = {"s": np.float32(1), "k": np.float32(0)}
    constants |= {"low": np.float32(0.25), "high": np.float32(2)}
    make = onnx.helper.make_node
    nodes = [
        make("DequantizeLinear", ["x", "s"], ["r"], name="d"),
        make("Mul", ["r", "k"], ["m"], name="m"),
        make("Clip", ["m", "low", "high"], ["y"], name="c"),
    ]
    model = graph_model(nodes, {"x": (np.int8, [3])}, {"y": np.float32}, constants, 17)
    session = Session(model, faults=["F84.input"])
    assert session.run({"x": np.array([-1, 0, 1], np.int8)})["y"].tolist() == [0.25] * 3
    assert find("F84.input").places(session.plan()) == ()


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_product_in_front_is_part_of_the_scale_that_bounds_are_cut_with(
    shape: tuple[int, ...],
) -> None:
    """OpenVINO 2026.4.1: 20 / -7 is cut to -2, which stands for 14, -15 / -7 to 2."""
    constants: dict[str, Any] = {"s": np.float32(1), "c": np.full(shape, -7, np.int8)}
    constants |= {"low": np.float32(-15), "high": np.float32(20)}
    make = onnx.helper.make_node
    nodes = [
        make("DequantizeLinear", ["x", "s"], ["r"], name="d"),
        make("DequantizeLinear", ["c", "s"], ["k"], name="e"),
        make("Mul", ["k", "r"], ["m"], name="m"),
        make("Clip", ["m", "low", "high"], ["y"], name="c"),
    ]
    model = graph_model(nodes, {"x": (np.int8, [3])}, {"y": np.float32}, constants, 17)
    session = Session(model, faults=["F84.input"])
    given = {"x": np.array([-100, 100, -1], np.int8)}
    assert session.run(given)["y"].tolist() == [14, -14, 7]


def test_a_relu_of_codes_keeps_what_is_above_code_zero() -> None:
    shows, _ = PAIRS["F80.table"]
    steps = np.rint((EVERY.view(np.int8).astype(int) - 3) * 0.0625 / 0.0237)
    codes = np.clip(steps - 7, 0, 127)
    assert (outputs(shows, "F80.table") == codes).all()


def test_codes_beyond_the_range_keep_their_lowest_bits() -> None:
    shows, _ = PAIRS["F38.table"]
    steps = np.rint(np.abs(EVERY.view(np.int8).astype(int) - 3) * 0.0625 / 0.0237) - 7
    assert (outputs(shows, "F38.table") == steps.astype(np.int64).astype(np.int8)).all()


def test_a_prelu_of_one_slope_is_a_leaky_relu() -> None:
    model = unary("PRelu", bounds=(0.25,))
    x = {"x": np.arange(-128, 128).astype(np.int8)}
    faulty = Session(model, faults=["F82"])
    assert set(find("F82").places(faulty.plan())) >= {"dx", "f1"}
    assert (faulty.run(x)["y"] == Session(unary("Relu")).run(x)["y"]).all()
