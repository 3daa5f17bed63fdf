"""Faults of what moves or joins codes show where they are placed and nowhere else."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest

from engine import EngineError, Session
from engine.faults import borders, find, movement, movement_casts
from engine.faults.fault import Fault
from generators.graphs import draw_case
from tests.engine.models import Array, element_type, graph_model

Coded = tuple[float, int]
"""Scale and zero point."""

IMAGE = (2, 3, 2, 3)
BLOCK = (2, 8, 2, 3)
A, B, Y = (0.25, 10), (0.1, 200), (0.3, 40)


def moved(
    op: str,
    inputs: Mapping[str, tuple[Coded, tuple[int, ...]]],
    results: Mapping[str, Coded],
    *,
    first: tuple[str, ...] = (),
    plain: Mapping[str, Any] | None = None,
    tail: tuple[str, Mapping[str, Any]] | None = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """A D for each input, n1, a tail a1, a Q for each result; n1 reads ``first``, reals, ``plain``."""
    node = onnx.helper.make_node
    constants: dict[str, Any] = dict(plain or {})
    nodes, given = [], {}
    for name, ((scale, zero), shape) in inputs.items():
        constants |= {f"{name}s": np.float32(scale), f"{name}z": np.uint8(zero)}
        names = [name, f"{name}s", f"{name}z"]
        nodes.append(node("DequantizeLinear", names, [f"{name}f"], name=f"d{name}"))
        given[name] = (np.uint8, list(shape))
    rest = [name for name in plain or {} if name not in first]
    reals = [*first, *(f"{name}f" for name in inputs), *rest]
    made = [f"{name}v" for name in results]
    nodes.append(node(op, reals, made, name="n1", **attributes))
    if tail:
        nodes.append(node(tail[0], made, ["tv"], name="a1", **tail[1]))
        made = ["tv"]
    for real, (name, (scale, zero)) in zip(made, results.items(), strict=True):
        constants |= {f"{name}s": np.float32(scale), f"{name}z": np.uint8(zero)}
        nodes.append(
            node("QuantizeLinear", [real, f"{name}s", f"{name}z"], [name], name=f"q{name}")
        )
    return graph_model(nodes, given, dict.fromkeys(results, np.uint8), constants, 17)


def concat(
    a: Coded, b: Coded, y: Coded, axis: int, *shapes: tuple[int, ...]
) -> onnx.ModelProto:
    first, second = shapes or (IMAGE, IMAGE)
    return moved("Concat", {"a": (a, first), "b": (b, second)}, {"y": y}, axis=axis)


def split(*results: Coded) -> onnx.ModelProto:
    named = {f"y{i}": each for i, each in enumerate(results)}
    plain = {"n": np.array([1, 2], np.int64)}
    return moved("Split", {"x": (A, IMAGE)}, named, plain=plain, axis=1)


def where(a: Coded, b: Coded, y: Coded) -> onnx.ModelProto:
    flags = np.arange(36).reshape(IMAGE) % 3 > 0
    inputs = {"a": (a, IMAGE), "b": (b, IMAGE)}
    return moved("Where", inputs, {"y": y}, first=("c",), plain={"c": flags})


def pad(
    value: float, *, to_pool: bool = False, y: Coded | None = None, height: int = 2
) -> onnx.ModelProto:
    ends = 0 if height == 1 else 1
    plain = {
        "p": np.array([0, 0, 1, 0, 0, 0, 0, ends], np.int64),
        "v": np.float32(value),
    }
    tail = ("AveragePool", {"kernel_shape": [2, 2]}) if to_pool else None
    shape = (*IMAGE[:2], height, IMAGE[3])
    return moved("Pad", {"x": (A, shape)}, {"y": y or A}, plain=plain, tail=tail)


def flatten(shape: tuple[int, ...]) -> onnx.ModelProto:
    return moved("Flatten", {"x": (A, shape)}, {"y": A})


def reshape(y_dtype: Any) -> onnx.ModelProto:
    """uint8 codes quantized again with the same scale."""
    model = moved("Reshape", {"x": (A, IMAGE)}, {"y": A}, plain={"n": np.array([-1])})
    for tensor in model.graph.initializer:
        if tensor.name == "yz":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(A[1], y_dtype), "yz"))
    model.graph.output[0].type.tensor_type.elem_type = element_type(y_dtype)
    return model


HALVES = concat((0.5, 10), (1.0, 3), (1.0, 40), 1)
WHOLE = concat((1.0, 10), (2.0, 3), (1.0, 40), 1)

FAULTS = (*movement.FAULTS, *movement_casts.FAULTS, *borders.FAULTS)
PAIRS = {
    "F39": (reshape(np.int8), reshape(np.uint8)),
    "F96": (concat(A, B, Y, 1), concat(A, A, A, 1)),
    "F96.first": (concat(A, B, Y, 1), concat(A, A, Y, 1)),
    "F96.split": (split(A, B), split(A, A)),
    "F98": (where(A, B, Y), where(A, A, A)),
    "F98.pad": (pad(5.0), pad(-10.0)),
    "F22": (pad(5.0, to_pool=True), pad(0.0, to_pool=True)),
    "F22.pad": (pad(5.0), pad(0.0)),
    "F98.real": (pad(5.0, y=Y, height=1), pad(5.0, y=Y)),
    "F97": (concat(A, B, Y, 1), concat(A, B, Y, 1, (2, 3, 2, 3), (2, 4, 2, 3))),
    "F06": (concat(A, B, Y, 1), concat(A, B, Y, 1, BLOCK, IMAGE)),
    "F70.concat": (HALVES, WHOLE),
    "F71.concat": (HALVES, WHOLE),
    "F72.concat": (HALVES, WHOLE),
    "F73a.concat": (HALVES, WHOLE),
    "F128.concat": (HALVES, concat(Y, Y, Y, 1)),
    "F128.concat.fused": (HALVES, concat((0.5, 7), (0.5, 7), (0.5, 7), 1)),
    "F128.concat.clipped": (HALVES, concat((0.5, 7), (0.5, 7), (0.5, 7), 1)),
    "F38.concat": (concat(A, B, Y, 1), concat(A, (0.25, 20), (0.5, 64), 1)),
    "F05": (flatten(IMAGE), flatten((1, 3, 2, 3))),
}


def places(model: onnx.ModelProto, fault: Fault) -> tuple[str, ...]:
    return fault.places(Session(model, faults=[fault.key]).plan())


def inputs(model: onnx.ModelProto) -> dict[str, Array]:
    r = np.random.default_rng(7)
    shapes = {
        value.name: [each.dim_value for each in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    return {name: r.integers(0, 256, shape).astype(np.uint8) for name, shape in shapes.items()}


def same(model: onnx.ModelProto, *faults: str, profile: str = "spec") -> bool:
    given = inputs(model)
    right, wrong = (
        Session(model, profile=profile, faults=keys).run(given) for keys in ((), faults)
    )
    return all(np.array_equal(right[name], wrong[name]) for name in right)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_under_its_trigger_and_not_outside(fault: Fault) -> None:
    shows, decoy = PAIRS[fault.key]
    assert "n1" in places(shows, fault)
    assert not same(shows, fault.key)
    assert not places(decoy, fault)
    assert same(decoy, fault.key)


@pytest.mark.parametrize("profile", ["ort", "fbgemm", "qnnpack", "opencv"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_in_every_profile(fault: Fault, profile: str) -> None:
    assert not same(PAIRS[fault.key][0], fault.key, profile=profile)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_never_shows_where_it_has_no_place(fault: Fault) -> None:
    quiet = 0
    for seed in range(80):
        case = draw_case("elementwise" if fault.key == "F98" else "movement", "any", seed)
        try:
            right = Session(case.model).run(case.inputs)
        except EngineError:
            continue
        session = Session(case.model, faults=[fault.key])
        if not fault.places(session.plan()):
            quiet += 1
            wrong = session.run(case.inputs)
            assert all(np.array_equal(wrong[name], right[name]) for name in right)
    assert quiet > 20


def run(model: onnx.ModelProto, key: str, **given: Array) -> Array:
    assert find(key)
    found = Session(model, faults=[key]).run(given)
    return found["y"]


def test_codes_that_are_copied() -> None:
    given = inputs(concat(A, B, Y, 1))
    y = run(concat(A, B, Y, 1), "F96", **given)
    assert (y == np.concatenate([given["a"], given["b"]], 1)).all()
    chosen = run(where(A, B, Y), "F98", **given)
    flags = np.arange(36).reshape(IMAGE) % 3 > 0
    assert (chosen == np.where(flags, given["a"], given["b"])).all()


def test_codes_of_another_type_keep_their_bits() -> None:
    x = inputs(reshape(np.int8))["x"]
    y = run(reshape(np.int8), "F39", x=x)
    assert y.dtype == np.int8
    assert (y == x.view(np.int8).reshape(-1)).all()


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("F70.concat", [38, 39, 41, 42]),
        ("F71.concat", [39, 40, 41, 42]),
        ("F72.concat", [39, 40, 40, 41]),
        ("F73a.concat", [38, 39, 40, 41]),
        ("F128.concat", [38, 39, 40, 41]),
    ],
)
def test_ties(key: str, expected: list[int]) -> None:
    """Steps -3/2, -1/2, 1/2 and 3/2 from 40; right are 38, 40, 40 and 42."""
    a = np.array([7, 9, 11, 13], np.uint8).reshape(1, 4, 1)
    model = concat((0.5, 10), (1.0, 3), (1.0, 40), 1, (1, 4, 1), (1, 1, 1))
    y = run(model, key, a=a, b=np.full((1, 1, 1), 3, np.uint8))
    assert y.reshape(-1).tolist() == [*expected, 40]


def test_borders() -> None:
    """5.0 is code 30 in steps of 0.25 from 10."""
    x = inputs(pad(5.0))["x"]
    for key, code in (("F22.pad", 10), ("F98.pad", 5)):
        assert (run(pad(5.0), key, x=x)[:, :, 0] == code).all()
    assert (Session(pad(5.0)).run({"x": x})["y"][:, :, 0] == 30).all()


def test_borders_of_reals() -> None:
    """20.7 in steps of 1 from 128; read as code 20 of steps of 0.25 from 10, as real 20 else."""
    for height, code in ((1, 130), (2, 148)):
        model = pad(20.7, y=(1.0, 128), height=height)
        y = run(model, "F98.real", x=inputs(model)["x"])
        assert (y[:, :, 0] == code).all()


def test_a_border_of_zero_before_a_mean() -> None:
    x = inputs(pad(5.0))["x"]
    right = Session(pad(0.0, to_pool=True)).run({"x": x})["y"]
    assert (run(pad(5.0, to_pool=True), "F22", x=x) == right).all()


def test_absent_lanes() -> None:
    """Image 1 starts 8 channels behind image 0, of which there are 3."""
    x = np.arange(1, 37, dtype=np.uint8).reshape(IMAGE)
    y = run(flatten(IMAGE), "F05", x=x)
    memory = np.zeros((2, 8, 6), np.uint8)
    memory[:, :3] = x.reshape(2, 3, 6)
    assert y.reshape(-1).tolist() == memory.reshape(-1)[:36].tolist()
    both = np.zeros((2, 3, 2, 3), np.uint8) + np.uint8(9)
    joined = run(concat(A, A, A, 1), "F06", a=x, b=both)
    assert (joined[:, :3] == x).all()
    assert not joined[:, 3:].any()


def test_an_axis_of_another_layout() -> None:
    """Rows of a, then rows of b, where each pixel should have the channels of both."""
    a = np.arange(8, dtype=np.uint8).reshape(1, 2, 2, 2)
    model = concat(A, A, A, 1, a.shape, a.shape)
    y = run(model, "F97", a=a, b=a + 100)
    rows = [np.moveaxis(each, 1, -1).reshape(-1).tolist() for each in (a, a + 100)]
    assert np.moveaxis(y, 1, -1).reshape(-1).tolist() == rows[0] + rows[1]
