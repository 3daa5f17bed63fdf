"""Faults of parameters by axis and block, and of codes of 4 bits, show under their trigger only."""

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

from engine import EngineError, Session, load
from engine.faults import blockwise, first_parameters, sub_byte
from engine.faults.fault import Fault
from generators.graphs import draw_case
from tests.engine.models import Array, graph_model

FAULTS = (*blockwise.FAULTS, *first_parameters.FAULTS, *sub_byte.FAULTS)
INT4 = np.dtype(ml_dtypes.int4)


def dequantize(
    codes: Array, scale: Any, zero: Any = None, *, axis: int = 1, block: int = 0
) -> onnx.ModelProto:
    """A DequantizeLinear "d" of constants, behind an Add that has the graph's input "x"."""
    constants = {"q": codes, "s": np.asarray(scale, np.float32)}
    if zero is not None:
        constants["z"] = np.asarray(zero).astype(codes.dtype)
    nodes = [
        onnx.helper.make_node(
            "DequantizeLinear", list(constants), ["w"], name="d", axis=axis, block_size=block
        ),
        onnx.helper.make_node("Add", ["x", "w"], ["y"], name="a"),
    ]
    shape = list(codes.shape)
    return graph_model(nodes, {"x": (np.float32, shape)}, {"y": np.float32}, constants, 21)


def quantize(scale: Array, axis: int, block: int = 1, zero: int = 0) -> onnx.ModelProto:
    """A QuantizeLinear "d" of the graph's input "x", which is as large as its whole blocks."""
    constants: dict[str, Any] = {
        "s": scale.astype(np.float32),
        "z": np.full(scale.shape, zero, np.uint8),
    }
    node = onnx.helper.make_node(
        "QuantizeLinear", ["x", *constants], ["y"], name="d", axis=axis, block_size=block
    )
    shape = [size * (block if i == axis else 1) for i, size in enumerate(scale.shape)]
    return graph_model([node], {"x": (np.float32, shape)}, {"y": np.uint8}, constants, 21)


def packed_product(codes: Array, scale: Array, zero: Array) -> onnx.ModelProto:
    """A product with weights in blocks of 16 along K, which R60 packs."""
    constants = {"q": codes, "s": scale.astype(np.float32), "z": zero.astype(codes.dtype)}
    nodes = [
        onnx.helper.make_node(
            "DequantizeLinear", ["q", "s", "z"], ["w"], name="d", axis=0, block_size=16
        ),
        onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="m"),
    ]
    shape = [2, codes.shape[0]]
    return graph_model(nodes, {"x": (np.float32, shape)}, {"y": np.float32}, constants, 21)


def nibbles(*shape: int, dtype: Any = INT4) -> Array:
    return np.random.default_rng(7).integers(-8, 8, shape).astype(np.int8).astype(dtype)


SQUARE, ODD, EVEN = nibbles(6, 6), nibbles(5, 7), nibbles(2, 8)
RISING = np.arange(1, 13).reshape(6, 2) / 8
WIDE = np.arange(1, 37).reshape(6, 6) / 8
ROW = np.arange(1, 7) / 8
TAIL = np.arange(1, 21).reshape(5, 4) / 8
NATURAL = (SQUARE.astype(np.int8) & 7).astype(INT4)

PAIRS = {
    "F100": (dequantize(ODD, TAIL, block=2), dequantize(SQUARE, RISING, block=3)),
    "F99": (dequantize(SQUARE, RISING, block=3), dequantize(SQUARE, RISING[:, :1], block=6)),
    "F99b": (
        dequantize(SQUARE, RISING, block=3),
        dequantize(nibbles(6, 4), RISING, block=2),
    ),
    "F102": (
        dequantize(SQUARE, RISING, np.arange(12).reshape(6, 2) % 5, block=3),
        dequantize(SQUARE, RISING, np.full((6, 2), 3), block=3),
    ),
    "F101": (
        dequantize(SQUARE, RISING, axis=-1, block=3),
        dequantize(SQUARE, RISING, axis=1, block=3),
    ),
    "F101b": (dequantize(SQUARE, ROW, axis=-1), dequantize(SQUARE, ROW, axis=1)),
    "F100c": (
        dequantize(SQUARE, RISING.T, axis=0, block=3),
        dequantize(SQUARE, RISING, axis=1, block=3),
    ),
    "F149": (quantize(WIDE, axis=0), quantize(WIDE, axis=1)),
    "F57": (dequantize(SQUARE, ROW, axis=0), dequantize(SQUARE, np.full(6, 0.5), axis=0)),
    "F57.weights": (
        dequantize(SQUARE, ROW, axis=0),
        dequantize(np.arange(6, dtype=np.int8), ROW, axis=0),
    ),
    "F57.block": (
        dequantize(SQUARE, RISING[:, :1], axis=1, block=6),
        dequantize(SQUARE, RISING, axis=1, block=3),
    ),
    "F159": (dequantize(nibbles(9, 2), 0.5), dequantize(nibbles(7, 2), 0.5)),
    "F159.turned": (dequantize(nibbles(2, 9), 0.5), dequantize(nibbles(2, 8), 0.5)),
    "F103e": (dequantize(ODD, 0.5), dequantize(SQUARE, 0.5)),
    "F103e.last": (dequantize(ODD, 0.5), dequantize(SQUARE, 0.5)),
    "F103": (dequantize(EVEN, 0.5), dequantize(nibbles(2, 8, dtype=np.int8), 0.5)),
    "F103b": (dequantize(EVEN, 0.5), dequantize(NATURAL, 0.5)),
    "F103c": (dequantize(EVEN, 0.5), dequantize(nibbles(2, 8, dtype=np.uint8), 0.5)),
    "F103c.blocks": (
        packed_product(nibbles(32, 3), np.ones((2, 3)), np.ones((2, 3))),
        packed_product(nibbles(32, 3, dtype=np.uint8) & 7, np.ones((2, 3)), np.ones((2, 3))),
    ),
    "F103d": (dequantize(EVEN, 0.5), dequantize(EVEN.astype(np.int8), 0.5)),
}


def places(model: Any, fault: Fault) -> tuple[str, ...]:
    return fault.places(Session(model, faults=[fault.key]).plan())


def both(model: Any, fault: Fault, inputs: dict[str, Array]) -> tuple[Array, Array]:
    correct, faulty = (
        Session(model, faults=faults).run(inputs) for faults in ((), (fault.key,))
    )
    (name,) = correct
    return correct[name], faulty[name]


def same(model: onnx.ModelProto, fault: Fault) -> bool:
    shape = [each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    correct, faulty = both(model, fault, {"x": x})
    return bool((correct == faulty).all())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_under_its_trigger_and_not_outside(fault: Fault) -> None:
    shows, decoy = PAIRS[fault.key]
    assert "d" in places(shows, fault)
    assert not same(shows, fault)
    assert not places(decoy, fault)
    assert same(decoy, fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_never_shows_where_its_trigger_is_off(fault: Fault) -> None:
    quiet = 0
    for seed in range(150):
        case = draw_case("blockwise", "any", seed)
        graph = load(case.model)
        try:
            if not places(graph, fault):
                quiet += 1
                correct, faulty = both(graph, fault, dict(case.inputs))
                assert (correct == faulty).all(), case.origin
        except EngineError:
            continue
    assert quiet > 10


def test_one_row_of_a_block_is_written_with_the_parameters_of_its_first_element() -> None:
    """Values of OpenCV 5.0.0, whose other rows are what memory held."""
    scale = np.array([[0.5, 1, 2], [0.25, 1, 2]])
    x = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    rows = Session(quantize(scale, axis=0, block=2, zero=7), faults=["F149"])
    assert rows.run({"x": x})["y"].tolist() == [[9, 11, 13], [0] * 3, [35, 39, 43], [0] * 3]
    assert not places(quantize(scale, axis=1, block=2), blockwise_fault("F149"))
    assert not places(quantize(scale[:, :1], axis=0, block=2), blockwise_fault("F149"))


def blockwise_fault(key: str) -> Fault:
    return next(each for each in FAULTS if each.key == key)


def test_tiled_blocks_are_the_example_of_the_catalogue() -> None:
    codes = np.full((2, 4), 9, np.int8)
    parameters = np.array([[1, 2], [3, 4]])
    model = dequantize(codes, parameters, parameters, block=2)
    x = np.zeros((2, 4), np.float32)
    correct = Session(model).run({"x": x})["y"]
    assert correct.reshape(-1).tolist() == [8, 8, 14, 14, 18, 18, 20, 20]
    faulty = Session(model, faults=["F99"]).run({"x": x})["y"]
    assert faulty.reshape(-1).tolist() == [8, 14, 8, 14, 18, 20, 18, 20]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("F103", [2, 1, -7, 3, 0]),
        ("F103b", [1, 2, 3, 9, 5, 14]),
        ("F103c", [-7, -6, -5, 1, -3, 6]),
        ("F103d", [1, 3, 5, 2, -7, -2]),
        ("F103e", [1, 2, 3, 5, -2, 0]),
        ("F103e.last", [1, 2, 3, -7, 0]),
    ],
)
def test_bytes_of_nibbles_by_hand(fault: str, expected: list[int]) -> None:
    """The bytes 0x21 0x93 0xE5 hold 1 2 | 3 -7 | 5 -2; of five codes the last byte is 0x05."""
    codes = np.array([1, 2, 3, -7, 5, -2], np.int8)[: len(expected)]
    shape = (2, 3) if fault == "F103e" else codes.shape
    model = dequantize(codes.reshape(shape).astype(INT4), 1, axis=0)
    zeros = np.zeros(shape, np.float32)
    assert (
        Session(model, faults=[fault]).run({"x": zeros})["y"].reshape(-1).tolist() == expected
    )


@pytest.mark.parametrize(
    ("depth", "read"), [(7, 6), (8, 7), (9, 0), (11, 2), (15, 6), (17, 0)]
)
def test_the_last_of_an_odd_number_of_weights_is_one_of_the_first(
    depth: int, read: int
) -> None:
    """What OpenVINO 2026.4.1 multiplies by in products of five rows and more, from either side."""
    codes = np.random.default_rng(depth).permutation(np.repeat(np.arange(-8, 8), 3))
    codes = codes[: 2 * depth].reshape(depth, 2)
    expected = codes.copy()
    expected[-1] = codes[read]
    for key, turned in (("F159", False), ("F159.turned", True)):
        given, wanted = (each.T if turned else each for each in (codes, expected))
        session = Session(dequantize(given.astype(INT4), 1), faults=[key])
        found = session.run({"x": np.zeros(given.shape, np.float32)})["y"]
        assert np.array_equal(found, wanted)
