"""Faults of element-wise operations show under their trigger and nowhere else."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import PROFILES, EngineError, Session
from engine.faults import (
    combination,
    combination_casts,
    combined_reals,
    elementwise,
    residual,
)
from engine.faults.fault import Fault
from engine.kernels.combination_parameters import CombinationParameters
from generators.graphs import draw_case
from tests.engine.models import Array, graph_model

FAULTS = elementwise.FAULTS + combination.FAULTS + combination_casts.FAULTS
EVERY = np.arange(256, dtype=np.uint8)
LEFT, RIGHT = np.repeat(EVERY, 256).reshape(256, 256), np.tile(EVERY, (256, 1))
"""All pairs of codes."""

Coded = tuple[float, int]
"""Scale and zero point."""


def combined(
    op: str,
    *inputs: Coded,
    y: Coded = (0.3, 4),
    dtype: Any = np.uint8,
    shapes: tuple[tuple[int, ...], ...] = (),
    tail: str = "",
    bounds: tuple[float, float] = (0.0, 6.0),
) -> onnx.ModelProto:
    """Nodes d0, d1, ..., n1[, a1], qy; inputs x0, x1, ..."""
    node = onnx.helper.make_node
    constants: dict[str, Any] = {"ys": np.float32(y[0]), "yz": np.array(y[1], dtype)}
    nodes, given = [], {}
    for i, (scale, zero) in enumerate(inputs):
        constants |= {f"s{i}": np.float32(scale), f"z{i}": np.array(zero, dtype)}
        nodes.append(
            node("DequantizeLinear", [f"x{i}", f"s{i}", f"z{i}"], [f"r{i}"], name=f"d{i}")
        )
        given[f"x{i}"] = (dtype, list(shapes[i] if shapes else (256, 256)))
    nodes.append(node(op, [f"r{i}" for i in range(len(inputs))], ["v"], name="n1"))
    if tail:
        names = ["lo", "hi"] if tail == "Clip" else []
        constants |= {
            name: np.float32(each) for name, each in zip(names, bounds, strict=False)
        }
        nodes.append(node(tail, ["v", *names], ["w"], name="a1"))
    nodes.append(node("QuantizeLinear", ["w" if tail else "v", "ys", "yz"], ["y"], name="qy"))
    return graph_model(nodes, given, {"y": dtype}, constants, 17)


A, B, UNIT = (0.25, 10), (0.1, 200), (1.0, 0)
SUM = combined("Add", A, B)
SIGNED: dict[str, Any] = {"dtype": np.int8}
NEGATIVE = combined("Add", (0.1, -3), (0.2, 7), y=(0.25, -20), tail="Relu", **SIGNED)
EQUAL = combined("Add", A, A, y=A)
SMALL: dict[str, Any] = {"y": (0.5, 100)}
HALVES = combined("Add", (0.5, 3), (0.5, 3), y=(1.0, 101))
WHOLE = combined("Add", (1.0, 3), (1.0, 3), y=(1.0, 101))
CLIPPED = combined("Add", A, B, y=(0.2, 40), tail="Clip")
NOTHING = combined("Add", (1.0, 128), (0.0078125, 0), y=(1024.0, 0))
SQUARE, ROW, COLUMN = (3, 3), (3,), (3, 1)

PAIRS = {
    "F40": (SUM, combined("Add", A, (0.1, 0))),
    "F59": (SUM, combined("Add", B, A, y=A)),
    "F95": (combined("Mul", A, B), combined("Mul", (0.25, 0), (0.1, 0))),
    "F94c": (combined("Sub", A, B), SUM),
    "F92": (combined("Max", A, B), SUM),
    "F93": (combined("Sum", A, B, UNIT, shapes=(SQUARE,) * 3), combined("Sum", A, B)),
    "F35.add": (SUM, combined("Add", (0.25, 1), (0.1, -9), **SIGNED)),
    "F91": (SUM, EQUAL),
    "F91b": (SUM, EQUAL),
    "F94": (
        combined("Add", A, B, shapes=(SQUARE, COLUMN)),
        combined("Add", A, B, shapes=(SQUARE, ROW)),
    ),
    "F94b": (
        combined("Add", A, B, shapes=(SQUARE, ROW)),
        combined("Add", A, B, shapes=((2, 3), ROW)),
    ),
    "F80.add": (
        NEGATIVE,
        combined("Add", (0.1, -3), (0.2, 7), y=(0.25, 0), tail="Relu", **SIGNED),
    ),
    "F80b.add": (NEGATIVE, combined("Add", A, B, y=(0.3, 10), tail="Relu")),
    "F81.add": (NEGATIVE, combined("Add", A, B, y=(0.3, 0), tail="Relu")),
    "F83.add": (CLIPPED, combined("Add", A, B, y=(1.0, 0), tail="Clip")),
    "F84.add": (CLIPPED, combined("Add", A, B, y=A, tail="Clip")),
    "F70.add": (HALVES, WHOLE),
    "F71.add": (HALVES, WHOLE),
    "F75.add": (HALVES, combined("Add", (0.5, 3), (0.5, 3), y=(1.0, 100))),
    "F72.add": (HALVES, WHOLE),
    "F73a.add": (HALVES, WHOLE),
    "F74.add": (
        combined("Add", A, B, y=(0.2, 100)),
        combined("Add", (0.1, 128), (0.1, 128), y=(0.3, 128)),
    ),
    "F128": (HALVES, NOTHING),
    "F128.fused": (HALVES, NOTHING),
    "F128.clipped": (HALVES, NOTHING),
    "F38.add": (SUM, combined("Add", (0.1, 128), (0.1, 128), y=(0.3, 128))),
}


def inputs(model: onnx.ModelProto) -> dict[str, Array]:
    """All pairs of codes, or as many random ones as a shape holds."""
    found = {}
    for i, value in enumerate(model.graph.input):
        kind = value.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        shape = [each.dim_value for each in kind.shape.dim]
        codes = np.random.default_rng(i).integers(0, 256, shape).astype(np.uint8)
        if shape == [256, 256]:
            codes = (LEFT, RIGHT)[i]
        found[value.name] = codes.view(dtype)
    return found


def outputs(model: onnx.ModelProto, *faults: str, profile: str = "spec") -> Array:
    return Session(model, profile=profile, faults=faults).run(inputs(model))["y"]


def places(model: onnx.ModelProto, fault: Fault) -> tuple[str, ...]:
    return fault.places(Session(model, faults=[fault.key]).plan())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_under_its_trigger_and_not_outside(fault: Fault) -> None:
    shows, decoy = PAIRS[fault.key]
    assert places(shows, fault)[:3] == tuple(each.name for each in shows.graph.node)[:3]
    assert (outputs(shows) != outputs(shows, fault.key)).any()
    assert not places(decoy, fault)
    assert (outputs(decoy) == outputs(decoy, fault.key)).all()


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_in_every_profile(fault: Fault, profile: str) -> None:
    shows, _ = PAIRS[fault.key]
    right, wrong = (outputs(shows, *keys, profile=profile) for keys in ((), (fault.key,)))
    assert right.dtype == wrong.dtype
    assert right.shape == wrong.shape
    rounds = "elementwise.round" in fault.stages
    if fault.id not in ("F70", "F71", "F75") and not (rounds and profile == "qnnpack"):
        # a profile may round in such a way itself, or shift integers right, which is no such stage
        assert (right != wrong).any()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_never_shows_where_its_trigger_is_off(fault: Fault) -> None:
    quiet = 0
    for seed in range(120):
        case = draw_case("elementwise", "any", seed)
        try:
            session = Session(case.model)
            right = session.run(case.inputs)
        except EngineError:
            continue
        kinds = {type(each.parameters) for each in session.plan().steps}
        if CombinationParameters in kinds and not fault.places(session.plan()):
            quiet += 1
            wrong = Session(case.model, faults=[fault.key]).run(case.inputs)
            assert all(np.array_equal(wrong[name], right[name]) for name in right)
    assert quiet or fault.id in ("F72", "F73a")


def codes_of(model: onnx.ModelProto, key: str, *given: list[int]) -> list[int]:
    """What a model of uint8 vectors makes of these codes with a fault."""
    arrays = {f"x{i}": np.array(each, np.uint8) for i, each in enumerate(given)}
    found: list[int] = Session(model, faults=[key]).run(arrays)["y"].tolist()
    return found


@pytest.mark.parametrize(
    ("key", "op", "expected"),
    [
        ("F91", "Add", [10 - 4 + 20 - 8 + 5, 12 - 4 + 6 - 8 + 5]),
        ("F91b", "Add", [(10 - 4) // 2 + (20 - 4) // 2 + 5, (12 - 4) // 2 + (6 - 4) // 2 + 5]),
        ("F40", "Add", [(10 - 4) // 2 + 20 * 2 + 5, (12 - 4) // 2 + 6 * 2 + 5]),
        ("F59", "Add", [(10 - 4) // 2 + 20 - 5 + 5, (12 - 4) // 2 + 6 - 5 + 5]),
        ("F92", "Sub", [(10 - 4) // 2 + (20 - 8) * 2 + 5, (12 - 4) // 2 + (6 - 8) * 2 + 5]),
        ("F94c", "Sub", [(20 - 8) * 2 - (10 - 4) // 2 + 5, 0]),
        ("F95", "Mul", [205, 77]),
        ("F38.add", "Sub", [(3 - 24 + 5) % 256, 4 + 4 + 5]),
    ],
)
def test_its_meaning_by_hand(key: str, op: str, expected: list[int]) -> None:
    """Scales 1/2, 2 and 1 (the product's output: 1); zero points 4, 8 and 5."""
    model = combined(op, (0.5, 4), (2.0, 8), y=(1.0, 5), shapes=((2,), (2,)))
    assert codes_of(model, key, [10, 12], [20, 6]) == expected


def test_only_two_of_three_operands() -> None:
    three = combined("Sum", UNIT, UNIT, UNIT, y=UNIT, shapes=((2,),) * 3)
    assert codes_of(three, "F93", [1, 2], [10, 20], [100, 100]) == [11, 22]


def test_how_a_small_operand_is_spread() -> None:
    """(3, 3) + (3, 1) repeats element after element; (3, 3) + (3,) is taken for a column."""
    square = combined("Add", UNIT, UNIT, y=UNIT, shapes=(SQUARE, COLUMN))
    zeros = {"x0": np.zeros(SQUARE, np.uint8)}
    column = {**zeros, "x1": np.array([[1], [2], [3]], np.uint8)}
    flat = Session(square, faults=["F94"]).run(column)["y"]
    assert flat.tolist() == [[1, 2, 3]] * 3
    vector = combined("Add", UNIT, UNIT, y=UNIT, shapes=(SQUARE, ROW))
    row = {**zeros, "x1": np.array([1, 2, 3], np.uint8)}
    left = Session(vector, faults=["F94b"]).run(row)["y"]
    assert left.tolist() == [[1] * 3, [2] * 3, [3] * 3]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("F70.add", [2, 3, 8, 7]),
        ("F71.add", [3, 4, 8, 7]),
        ("F75.add", [2, 4, 8, 7]),
        ("F72.add", [3, 4, 7, 7]),
        ("F73a.add", [2, 3, 7, 7]),
        ("F128", [2, 3, 7, 7]),
    ],
)
def test_ties(key: str, expected: list[int]) -> None:
    """Steps -5/2, -3/2, 5/2 and 9/4 before a zero point of 5; right are 3, 3, 7 and 7."""
    model = combined("Add", (0.25, 100), (1.0, 0), y=(1.0, 5), shapes=((4,), (1,)))
    assert codes_of(model, key, [90, 94, 110, 109], [0]) == expected


def residual_model(r: Coded, y: Coded = (0.5, 9)) -> onnx.ModelProto:
    """Nodes dx, dw, dr, c1, n1, qy."""
    node = onnx.helper.make_node
    w = np.random.default_rng(1).integers(-128, 128, (2, 2, 1, 1)).astype(np.int8)
    constants: dict[str, Any] = {"w": w, "wz": np.int8(0)}
    for name, (scale, zero) in {"x": (0.02, 3), "r": r, "y": y}.items():
        constants |= {f"{name}s": np.float32(scale), f"{name}z": np.uint8(zero)}
    constants["ws"] = np.float32(0.01)
    nodes = [
        node("DequantizeLinear", [name, f"{name}s", f"{name}z"], [f"{name}f"], name=f"d{name}")
        for name in "xwr"
    ]
    nodes.append(node("Conv", ["xf", "wf"], ["cf"], name="c1"))
    nodes.append(node("Add", ["cf", "rf"], ["sf"], name="n1"))
    nodes.append(node("QuantizeLinear", ["sf", "ys", "yz"], ["y"], name="qy"))
    shape = [1, 2, 4, 4]
    given = dict.fromkeys("xr", (np.uint8, shape))
    return graph_model(nodes, given, {"y": np.uint8}, constants, 17)


RESIDUALS = {
    "F40.conv": (residual_model((0.25, 30)), residual_model((0.25, 0))),
    "F59.conv": (residual_model((0.25, 30)), residual_model((0.5, 9))),
}


@pytest.mark.parametrize("fault", residual.FAULTS, ids=lambda each: each.key)
def test_residuals(fault: Fault) -> None:
    shows, decoy = RESIDUALS[fault.key]
    assert set(places(shows, fault)) == {"dx", "dw", "dr", "c1", "n1", "qy"}
    assert (outputs(shows) != outputs(shows, fault.key)).any()
    assert not places(decoy, fault)
    assert (outputs(decoy) == outputs(decoy, fault.key)).all()


def test_a_residual_in_the_scale_of_the_output_by_hand() -> None:
    """``rne(xs*ws/ys * acc + r - yz) + yz``."""
    model = residual_model((0.25, 30))
    given = inputs(model)
    w = np.random.default_rng(1).integers(-128, 128, (2, 2)).astype(np.int64)
    acc = np.einsum("kc,nchw->nkhw", w, given["x"].astype(np.int64) - 3)
    steps = acc * (0.02 * 0.01 / 0.5) + (given["r"].astype(np.int64) - 9)
    expected = np.clip(np.rint(steps) + 9, 0, 255)
    assert (outputs(model, "F59.conv") == expected).all()


@pytest.mark.parametrize(
    ("op", "added"), [("Sub", 1), ("Div", 1), ("Max", 1), ("Min", 1), ("Add", 0)]
)
def test_reals_of_any_scale_are_added(op: str, added: int) -> None:
    """OpenCV 5.0.0: ``max(-(q - 0), r - 1)`` of q = 1, 0, 0 and r = 2 is 0, 1, 1 as a sum."""
    model = combined(op, (-1.0, 0), (1.0, 1), y=UNIT, shapes=((3,), (1,)))
    (fault,) = combined_reals.FAULTS
    assert bool(places(model, fault)) == bool(added)
    if added:
        assert codes_of(model, fault.key, [1, 0, 0], [2]) == [0, 1, 1]


def test_reals_that_others_read_are_not_added() -> None:
    """OpenCV fuses what lies between a DequantizeLinear and a QuantizeLinear alone."""
    (fault,) = combined_reals.FAULTS
    model = combined("Sub", (-1.0, 0), (1.0, 1), tail="Relu", shapes=((3,), (1,)))
    assert not places(model, fault)
