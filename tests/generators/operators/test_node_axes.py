"""Sizes of axes by name, changed consistently; and operators in words."""

import numpy as np
import pytest

from generators.operators.node import NodeSpec, Operand, Tail, parameters
from generators.operators.node.axes import resized, sizes

A = Operand("a", (2, 3, 4), "uint8", (1.0,), (9,))
B = Operand("b", (4, 5), "int8", (1.0, 2.0, 3.0, 4.0, 5.0), (0,) * 5, axis=1, constant=True)
Y = Operand("y", (2, 3, 5), "uint8", (1.0,), (3,))
PRODUCT = NodeSpec("MatMul", (A, B), (Y,), tails=(Tail("Add", constants=((1.0,) * 5,)),))


def plain(name: str, *shape: int) -> Operand:
    return Operand(name, shape, "uint8", (1.0,), (0,))


def test_sizes_of_a_product() -> None:
    assert sizes(PRODUCT) == {"b1": 2, "M": 3, "K": 4, "N": 5}
    found = resized(PRODUCT, {"N": 7, "K": 2})
    assert found is not None
    assert [each.shape for each in (*found.operands, *found.results)] == [
        (2, 3, 2),
        (2, 7),
        (2, 3, 7),
    ]
    assert found.operands[1].scales == (1.0, 2.0, 3.0, 4.0, 5.0, 1.125, 2.25)
    assert len(found.operands[1].zero_points) == len(found.tails[0].constants[0]) == 7


def test_what_is_broadcast_stays_so() -> None:
    spec = NodeSpec("Add", (plain("a", 2, 3, 4), plain("b", 3, 1)), (plain("y", 2, 3, 4),))
    found = resized(spec, {"d2": 5, "d1": 6})
    assert found is not None
    assert [each.shape for each in found.operands] == [(2, 5, 6), (5, 1)]
    assert found.results[0].shape == (2, 5, 6)


def test_channels_of_groups() -> None:
    spec = NodeSpec(
        "ConvTranspose",
        (plain("x", 1, 4, 3, 3), plain("w", 4, 5, 2, 2)),
        (plain("y", 1, 10, 4, 4),),
        (("kernel_shape", (2, 2)), ("group", 2)),
    )
    assert {"groups": 2, "C/groups": 2, "M/groups": 5}.items() <= sizes(spec).items()
    found = resized(spec, {"groups": 3, "k0": 3})
    assert found is not None
    assert [each.shape for each in (*found.operands, *found.results)] == [
        (1, 6, 3, 3),
        (6, 5, 3, 2),
        (1, 15, 5, 4),
    ]
    assert dict(found.attributes) == {"kernel_shape": (3, 2), "group": 3}


def test_sizes_that_no_model_has() -> None:
    window = NodeSpec(
        "MaxPool", (plain("x", 1, 1, 4),), (plain("y", 1, 1, 2),), (("kernel_shape", (3,)),)
    )
    assert resized(window, {"i0": 2}) is None
    parts = Operand("s", (2,), "int64", constant=True, array=np.array((1, 2)))
    split = NodeSpec("Split", (plain("x", 3, 4), parts), (plain("y", 1, 4), plain("z", 2, 4)))
    assert sizes(split) == {"d1": 4}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            PRODUCT,
            {
                "M": 3,
                "K == N": False,
                "bias": "tail",
                "tail": "none",
                "b per-channel": True,
                "b axis": 1,
                "a zero point": 9,
                "a zero point above lowest": True,
                "a scale == b scale": False,
            },
        ),
        (
            NodeSpec(
                "MaxPool",
                (plain("x", 1, 3, 5),),
                (plain("y", 1, 3, 3),),
                (("kernel_shape", (2,)), ("strides", (2,)), ("ceil_mode", 1)),
            ),
            {
                "C": 3,
                "kernel": 2,
                "stride": 2,
                "ceil_mode": 1,
                "last window beyond the pads": True,
                "x like y": True,
            },
        ),
        (
            NodeSpec("", (Operand("x", (4, 5), "int4", (1.0,) * 8, (0,) * 8, 1, 3, True),),
                     (Operand("xr", (4, 5), "float32"),)),
            {"op": "none", "x bits": 4, "x block size": 3, "x blocks": 8, "x partial block": True},
        ),
        (
            NodeSpec("Concat", (plain("a", 2, 3), plain("b", 2, 3)), (plain("y", 2, 6),),
                     (("axis", 1),)),
            {"parts": 2, "parts alike": True, "axis": 1, "all tensors alike": True},
        ),
    ],
    ids=["MatMul", "MaxPool", "blocks", "Concat"],
)  # fmt: skip
def test_words(spec: NodeSpec, words: dict[str, int | bool | str]) -> None:
    assert words.items() <= parameters(spec).items()
