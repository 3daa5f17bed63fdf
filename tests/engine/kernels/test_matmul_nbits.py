"""Weights in blocks of 2, 4 and 8 bits against a loop over single codes."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine import EngineError, InvalidModel, Session, Unsupported
from engine.kernels.matmul_nbits import unpack
from tests.engine.models import Array, graph_model

F32 = np.float32


def nbits(a: Array, columns: int, constants: dict[str, Array], **more: Any) -> onnx.ModelProto:
    names = [name if name in constants else "" for name in ("b", "s", "z", "g", "bias")]
    while not names[-1]:
        names.pop()
    sizes = {"K": a.shape[-1], "N": columns, "bits": 4, "block_size": 16} | more
    node = helper.make_node(
        "MatMulNBits", ["a", *names], ["y"], name="n", domain="com.microsoft", **sizes
    )
    inputs = {"a": (a.dtype, list(a.shape))}
    model = graph_model([node], inputs, {"y": a.dtype}, constants)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def code_at(row: Array, index: int, bits: int) -> int:
    """Code ``index`` of a row of bytes, lowest bits first."""
    at = index * bits
    code: int = int(row[at // 8]) >> (at % 8) & (2**bits - 1)
    return code


def weights_by_loop(
    packed: Array, scales: Array, zeros: Array | None, bits: int, block: int, depth: int
) -> Array:
    columns, blocks, _ = packed.shape
    w = np.zeros((columns, depth))
    for n in range(columns):
        for k in range(depth):
            at, inside = divmod(k, block)
            zero: float = 2 ** (bits - 1)
            if zeros is not None:
                zero = code_at(zeros[n], at, bits) if zeros.dtype == np.uint8 else zeros[n, at]
            w[n, k] = (code_at(packed[n, at], inside, bits) - zero) * scales[n, at]
    assert blocks == -(-depth // block)
    return w


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("block", [16, 32])
@pytest.mark.parametrize("depth", [16, 32, 48, 50, 70])
@pytest.mark.parametrize("zeros", ["", "packed", "real"])
@pytest.mark.parametrize("computed", [False, True])
def test_blocks(bits: int, block: int, depth: int, zeros: str, computed: bool) -> None:
    r, columns = np.random.default_rng(bits * depth), 3
    blocks = -(-depth // block)
    packed = r.integers(0, 256, (columns, blocks, block * bits // 8)).astype(np.uint8)
    scales = F32(2.0) ** -r.integers(0, 4, (columns, blocks)).astype(F32)
    constants = {"b": packed, "s": scales}
    if zeros == "packed":
        constants["z"] = r.integers(0, 256, (columns, -(-blocks * bits // 8))).astype(np.uint8)
    elif zeros:
        constants["z"] = r.integers(0, 2**bits, (columns, blocks)).astype(F32)
    a = r.integers(-8, 9, (2, depth)).astype(F32)  # every sum is exact
    model = nbits(a, columns, constants, bits=bits, block_size=block)
    feeds = {"a": a}
    if computed:
        for each in list(model.graph.initializer):
            feeds[each.name] = onnx.numpy_helper.to_array(each)
            info = helper.make_tensor_value_info(each.name, each.data_type, list(each.dims))
            model.graph.input.append(info)
        del model.graph.initializer[:]
    w = weights_by_loop(packed, scales, constants.get("z"), bits, block, depth)
    np.testing.assert_array_equal(Session(model).run(feeds)["y"], a @ w.T)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_every_byte_unpacks_lowest_bits_first(bits: int) -> None:
    packed = np.arange(256, dtype=np.uint8).reshape(1, -1)
    found = unpack(packed, bits, 256 * 8 // bits)
    expected = [code_at(packed[0], i, bits) for i in range(256 * 8 // bits)]
    np.testing.assert_array_equal(found[0], expected)


SMALL: dict[str, Array] = {"b": np.full((2, 1, 8), 0x99, np.uint8), "s": np.ones((2, 1), F32)}


@pytest.mark.parametrize("shape", [(16,), (0, 16), (2, 3, 16)])
def test_rows_of_any_rank_and_a_bias(shape: tuple[int, ...]) -> None:
    a, bias = np.ones(shape, F32), np.array([1, -2], F32)
    y = Session(nbits(a, 2, SMALL | {"bias": bias})).run({"a": a})["y"]
    np.testing.assert_array_equal(y, np.full((*shape[:-1], 2), 16, F32) + bias)


def test_half_precision() -> None:
    a = np.full((1, 16), 0.5, np.float16)
    scales = {"s": np.ones((2, 1), np.float16)}
    y = Session(nbits(a, 2, SMALL | scales)).run({"a": a})["y"]
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y, [[8, 8]])


@pytest.mark.parametrize(
    ("more", "constants", "message"),
    [
        ({"bits": 3}, {}, "3 bits in blocks of 16"),
        ({"block_size": 8}, {}, "4 bits in blocks of 8"),
        ({"block_size": 24}, {}, "blocks of 24"),
        ({"weight_prepacked": 1}, {}, "weight_prepacked is 1"),
        ({"K": 0}, {}, "K is 0; it must be a positive integer"),
        ({}, {"b": np.zeros((2, 1, 7), np.uint8)}, r"weights \(2, 1, 7\); they must be"),
        ({}, {"b": np.zeros((2, 1, 8), np.int8)}, "int8 weights"),
        ({}, {"s": np.ones((2, 2), F32)}, r"scales \(2, 2\)"),
        ({}, {"z": np.zeros((2, 2), np.uint8)}, r"zero points \(2, 2\)"),
        ({}, {"bias": np.zeros(3, F32)}, r"bias is float32 \(3,\)"),
        ({}, {"g": np.zeros(16, np.int32)}, "g_idx is not supported"),
    ],
)
def test_refusals(more: dict[str, int], constants: dict[str, Array], message: str) -> None:
    a = np.ones((1, 16), F32)
    with pytest.raises(EngineError, match=message) as caught:
        Session(nbits(a, 2, SMALL | constants, **more)).run({"a": a})
    assert isinstance(caught.value, Unsupported | InvalidModel | EngineError)
    assert "\n" not in str(caught.value)
