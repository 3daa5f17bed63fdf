"""What moves values, on codes and sub-byte types, and what it refuses in one line."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import helper

from engine import EngineError, Session
from tests.engine.models import Array, graph_model

X = np.arange(24, dtype=np.int64).reshape(1, 4, 2, 3)
I64 = np.int64


def model(
    op: str, constants: dict[str, Any], dtype: Any, shape: Any = X.shape, **attributes: Any
) -> Any:
    outputs = attributes.pop("outputs", ["y"])
    inputs = ["x", *(name.removeprefix("_") if name != "_" else "" for name in constants)]
    node = helper.make_node(op, inputs, outputs, name="n", **attributes)
    kept = {name: each for name, each in constants.items() if name != "_"}
    made = graph_model(
        [node], {"x": (dtype, list(shape))}, dict.fromkeys(outputs, dtype), kept, 17
    )
    made.ir_version = 11
    return made


MOVES: list[tuple[str, dict[str, Any], dict[str, Any], Any]] = [
    ("Transpose", {}, {"perm": [3, 0, 1, 2]}, X.transpose(3, 0, 1, 2)),
    ("Reshape", {"s": np.array([0, -1], I64)}, {}, X.reshape(1, 24)),
    (
        "Slice",
        {
            "s": np.array([9], I64),
            "e": np.array([-99], I64),
            "a": np.array([1], I64),
            "t": np.array([-2], I64),
        },
        {},
        X[:, 3::-2],
    ),
    ("Gather", {"i": np.array([[-1], [0]], I64)}, {"axis": 1}, X[:, [[3], [0]]]),
    ("Tile", {"r": np.array([1, 2, 1, 1], I64)}, {}, np.tile(X, (1, 2, 1, 1))),
    ("Expand", {"s": np.array([2, 1, 1, 1], I64)}, {}, np.repeat(X, 2, axis=0)),
    (
        "DepthToSpace",
        {},
        {"blocksize": 2},
        X.reshape(1, 2, 2, 1, 2, 3).transpose(0, 3, 4, 1, 5, 2).reshape(1, 1, 4, 6),
    ),
]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float16, np.bool_, ml_dtypes.int4])
@pytest.mark.parametrize(
    ("op", "constants", "attributes", "expected"),
    MOVES,
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_values_are_not_looked_at(
    op: str, constants: dict[str, Any], attributes: dict[str, Any], expected: Array, dtype: Any
) -> None:
    palette = (np.arange(24) % 7).astype(dtype)
    found = Session(model(op, constants, dtype, **attributes)).run({"x": palette[X]})["y"]
    assert found.dtype == palette.dtype
    assert np.array_equal(found.astype(np.float32), palette[expected].astype(np.float32))
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    ("op", "constants", "attributes", "words"),
    [
        ("Gather", {"i": np.array([4], I64)}, {"axis": 1}, "is outside a length of 4"),
        ("Squeeze", {"a": np.array([1], I64)}, {}, "are not all of length 1"),
        ("Squeeze", {"a": np.array([7], I64)}, {}, "axes [7] of a tensor of rank 4"),
        ("Expand", {"s": np.array([2**20, 1, 2**20, 1], I64)}, {}, "nor their product above"),
        (
            "Tile",
            {"r": np.array([2**15, 2**15, 2**10, 1], I64)},
            {},
            "nor their product above",
        ),
        ("Tile", {"r": np.array([2], I64)}, {}, "1 repeats for rank 4"),
        (
            "Split",
            {"s": np.array([1, 1], I64)},
            {"axis": 1, "outputs": ["y", "z"]},
            "parts [1, 1] of axis 1",
        ),
        ("DepthToSpace", {}, {"blocksize": 3}, "4 channels, not a multiple of 9"),
        ("SpaceToDepth", {}, {"blocksize": 4}, "an image of 2 x 3 in blocks of 4"),
        ("Pad", {"p": np.array([1, 1], I64)}, {}, "2 pads for 4 axes"),
        (
            "Resize",
            {"_": None, "s": np.array([2, 2], np.float32)},
            {},
            "2 scales or sizes for 4 axes",
        ),
        (
            "Resize",
            {"_": None, "s": np.full(4, 2**12, np.float32)},
            {},
            "nor their product above",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(
    op: str, constants: dict[str, Any], attributes: dict[str, Any], words: str
) -> None:
    with pytest.raises(EngineError) as caught:
        Session(model(op, constants, np.uint8, **attributes)).run({"x": X.astype(np.uint8)})
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
