"""MatMulNBits: real rows times weights of 2, 4 or 8 bits with a scale for each block of K."""

from collections.abc import Callable

import numpy as np

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.operator import CONTRIB, Kernel, Setting, operator

_F = np.float32
_BITS = (2, 4, 8)


def unpack(packed: Array, bits: int, count: int) -> Array:
    """The first ``count`` codes of each row of bytes, lowest bits first, as uint8."""
    per_byte = 8 // bits
    shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(bits)
    codes = (packed[..., None] >> shifts) & np.uint8(2**bits - 1)
    unpacked: Array = codes.reshape(*packed.shape[:-1], -1)[..., :count]
    return unpacked


def dequantize_blocks(
    packed: Array, scales: Array, zero_points: Array | None, bits: int, depth: int
) -> Array:
    """``w = fl(fl(q - z) * s)`` with a scale and zero point for each block.

    Shapes:
        ``packed`` (N, blocks, bytes), ``scales`` (N, blocks), ``zero_points`` (N, bytes) packed or
        (N, blocks) real, or None for the middle code -> (N, K), float32.

    Source:
        onnxruntime com.microsoft MatMulNBits-1.
    """
    columns, blocks = scales.shape
    codes = unpack(packed, bits, packed.shape[-1] * (8 // bits)).astype(_F)
    zero: Array = np.full((columns, blocks), 2.0 ** (bits - 1), _F)
    if zero_points is not None:
        rows = zero_points.reshape(columns, -1)
        zero = (
            unpack(rows, bits, blocks).astype(_F)
            if rows.dtype == np.uint8
            else rows.astype(_F)
        )
    weights = (codes - zero[..., None]) * scales[..., None].astype(_F)
    flat: Array = weights.reshape(columns, -1)[:, :depth]
    return flat


def matmul_nbits(node: Node, setting: Setting) -> Callable[..., Array] | Kernel:
    """MatMulNBits as a function of its inputs; constant weights are dequantized once."""
    numbers = [_integer(node, name) for name in ("K", "N", "bits", "block_size")]
    if numbers[2] not in _BITS or numbers[3] < 16 or numbers[3] & (numbers[3] - 1):
        raise Unsupported(
            f"MatMulNBits {node.id!r}: {numbers[2]} bits in blocks of {numbers[3]}; supported are 2, 4 "
            f"or 8 bits in blocks of 16 or more, a power of two"
        )
    if node.input(4):
        raise Unsupported(
            f"MatMulNBits {node.id!r}: g_idx is not supported; sort the rows by group"
        )
    weigh = setting.stage("blocks.dequantize", dequantize_blocks)
    arrays = [setting.constant(node.input(i)) for i in (1, 2, 3)]
    fixed = None
    if (
        arrays[0] is not None
        and arrays[1] is not None
        and bool(node.input(3)) == (arrays[2] is not None)
    ):
        fixed = np.ascontiguousarray(
            _weights(node, numbers, arrays[0], arrays[1], arrays[2], weigh).T
        )

    def run(
        a: Array,
        packed: Array,
        scales: Array,
        zero_points: Array | None = None,
        order: None = None,
        bias: Array | None = None,
    ) -> Array:
        if a.dtype != _F or a.ndim < 1 or a.shape[-1] != numbers[0]:
            raise EngineError(
                f"MatMulNBits {node.id!r}: a is {a.dtype} {a.shape}; it takes float32 rows of {numbers[0]}"
            )
        matrix = fixed
        if matrix is None:
            matrix = _weights(node, numbers, packed, scales, zero_points, weigh).T
        y: Array = np.matmul(a, matrix)
        return y if bias is None else y + bias

    return run


def _weights(
    node: Node,
    numbers: list[int],
    packed: Array,
    scales: Array,
    zero_points: Array | None,
    weigh: Callable[[Array, Array, Array | None, int, int], Array],
) -> Array:
    depth, columns, bits, block = numbers
    blocks, size = -(-depth // block), block * bits // 8
    if packed.dtype != np.uint8 or packed.size != columns * blocks * size:
        raise InvalidModel(
            f"MatMulNBits {node.id!r}: weights {packed.dtype} {packed.shape}; they must be uint8 "
            f"({columns}, {blocks}, {size})"
        )
    if scales.size != columns * blocks:
        raise InvalidModel(
            f"MatMulNBits {node.id!r}: {scales.size} scales for {columns} columns of {blocks} blocks"
        )
    packed = packed.reshape(columns, blocks, size)
    return weigh(packed, scales.reshape(columns, blocks), zero_points, bits, depth)


def _integer(node: Node, name: str) -> int:
    value = node.attributes.get(name, 4 if name == "bits" else None)
    if not isinstance(value, int) or value < 1:
        raise InvalidModel(
            f"MatMulNBits {node.id!r}: {name} is {value}; it must be a positive integer"
        )
    return value


OPERATORS = (
    operator(
        "MatMulNBits",
        matmul_nbits,
        "K N accuracy_level bits block_size weight_prepacked",
        inputs=(3, 6),
        domains=CONTRIB,
    ),
)
