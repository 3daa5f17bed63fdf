"""MatMulNBits: real rows times weights of 2, 4 or 8 bits with a scale for each block of K."""

import math
from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.elementwise import is_float
from engine.kernels.float_matmul import narrowed, widened
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


@dataclass(frozen=True, slots=True)
class BlockedWeights:
    """The weights of one MatMulNBits, N rows of K codes, in blocks along K.

    ``packed`` (N, blocks, bytes), ``scales`` (N, blocks); ``zero_points`` (N, bytes) packed or
    (N, blocks) real, None for the middle code ``2**(bits - 1)``.
    """

    node: str
    depth: int
    columns: int
    bits: int
    block_size: int
    packed: Array
    scales: Array
    zero_points: Array | None

    @property
    def blocks(self) -> int:
        """``ceil(K / block_size)``; the last block may be partial."""
        return -(-self.depth // self.block_size)


@dataclass(frozen=True, slots=True)
class _Format:
    """The attributes of a node."""

    node: str
    depth: int
    columns: int
    bits: int
    block_size: int


def dequantize_blocks(w: BlockedWeights, setting: Setting) -> Array:
    """``w = fl(fl(q - z) * s)`` with a scale and zero point for each block.

    Stages: codes, zero points, spread both parameters over their blocks; then the product.

    Shapes:
        (N, K), float32.

    Source:
        onnxruntime com.microsoft MatMulNBits-1.
    """
    place = setting.stage("blocks.spread", over_blocks)
    codes = setting.stage("blocks.codes", block_codes)(w).astype(_F)
    codes -= place(setting.stage("blocks.zero_points", block_zero_points)(w), w)
    codes *= place(w.scales.astype(_F), w)
    flat: Array = codes.reshape(w.columns, -1)[:, : w.depth]
    return flat


def block_codes(w: BlockedWeights) -> Array:
    """The codes, (N, blocks, block_size)."""
    return unpack(w.packed, w.bits, w.block_size)


def over_blocks(values: Array, w: BlockedWeights) -> Array:
    """One value for each block of codes, or one for all."""
    return values[..., None]


def block_zero_points(w: BlockedWeights) -> Array:
    """The zero point of each block, (N, blocks) or one for all, float32."""
    if w.zero_points is None:
        return np.full((1, 1), 2.0 ** (w.bits - 1), _F)
    if w.zero_points.dtype == np.uint8:
        return unpack(w.zero_points, w.bits, w.blocks).astype(_F)
    return w.zero_points.astype(_F)


def matmul_nbits(node: Node, setting: Setting) -> Kernel:
    """``y = a w' + bias``; constant weights are dequantized once.

    Shapes:
        ``a`` (..., K) -> (..., N), the type of a; short floats are summed in float32.

    Raises:
        Unsupported: other bits or blocks, an order of groups, weights packed for one device.
    """
    given = _read(node)
    arrays = [setting.constant(node.input(i)) for i in (1, 2, 3)]
    w = matrix = None
    if all(each is not None or not node.input(i) for i, each in enumerate(arrays, 1)):
        w = _weights(given, arrays[0], arrays[1], arrays[2])
        matrix = np.ascontiguousarray(dequantize_blocks(w, setting).T)

    def run(
        a: Array,
        packed: Array,
        scales: Array,
        zero_points: Array | None = None,
        order: None = None,
        bias: Array | None = None,
    ) -> Array:
        _check_operands(given, a, bias)
        right = matrix
        if right is None:
            right = dequantize_blocks(_weights(given, packed, scales, zero_points), setting).T
        y: Array = np.matmul(widened(a), right)
        return narrowed(y if bias is None else y + widened(bias), a)

    return Kernel(run, parameters=w)


def _read(node: Node) -> _Format:
    depth, columns, bits, block = (
        _integer(node, name) for name in ("K", "N", "bits", "block_size")
    )
    if bits not in _BITS or block < 16 or block & (block - 1):
        raise Unsupported(
            f"MatMulNBits {node.id!r}: {bits} bits in blocks of {block}; supported are 2, 4 or 8 bits "
            f"in blocks of 16 or more, a power of two"
        )
    if node.input(4):
        raise Unsupported(
            f"MatMulNBits {node.id!r}: g_idx is not supported; sort the rows by group"
        )
    if prepacked := node.attributes.get("weight_prepacked", 0):
        raise Unsupported(
            f"MatMulNBits {node.id!r}: weight_prepacked is {prepacked}; store the weights unpacked, as 0"
        )
    return _Format(node.id, depth, columns, bits, block)


def _integer(node: Node, name: str) -> int:
    value = node.attributes.get(name, 4 if name == "bits" else None)
    if not isinstance(value, int) or value < 1:
        raise InvalidModel(
            f"MatMulNBits {node.id!r}: {name} is {value}; it must be a positive integer"
        )
    return value


def _check_operands(given: _Format, a: Array, bias: Array | None) -> None:
    if not is_float(a.dtype) or a.dtype == np.float64 or a.shape[-1:] != (given.depth,):
        raise EngineError(
            f"MatMulNBits {given.node!r}: a is {a.dtype} {a.shape}; it takes rows of {given.depth} "
            f"float32, float16 or bfloat16"
        )
    if bias is not None and (bias.dtype != a.dtype or bias.shape != (given.columns,)):
        raise EngineError(
            f"MatMulNBits {given.node!r}: bias is {bias.dtype} {bias.shape}; it must be {a.dtype} "
            f"({given.columns},)"
        )


def _weights(
    given: _Format, packed: Array | None, scales: Array | None, zero_points: Array | None
) -> BlockedWeights:
    blocks = -(-given.depth // given.block_size)
    size = given.block_size * given.bits // 8
    codes = _shaped(given, "weights", packed, (given.columns, blocks, size))
    steps = _shaped(given, "scales", scales, (given.columns, blocks))
    if codes.dtype != np.uint8 or not is_float(steps.dtype):
        raise InvalidModel(
            f"MatMulNBits {given.node!r}: {codes.dtype} weights and {steps.dtype} scales; they must be "
            f"uint8 and floats"
        )
    zeros = None
    if zero_points is not None:
        whole = -(-blocks * given.bits // 8) if zero_points.dtype == np.uint8 else blocks
        zeros = _shaped(given, "zero points", zero_points, (given.columns, whole))
    return BlockedWeights(
        given.node,
        given.depth,
        given.columns,
        given.bits,
        given.block_size,
        codes,
        steps,
        zeros,
    )


def _shaped(given: _Format, what: str, array: Array | None, shape: tuple[int, ...]) -> Array:
    """The array in its shape; older models store it flat."""
    if array is None or array.size != math.prod(shape):
        found = "absent" if array is None else array.shape
        raise InvalidModel(f"MatMulNBits {given.node!r}: {what} {found}; they must be {shape}")
    return array.reshape(shape)


OPERATORS = (
    operator(
        "MatMulNBits",
        matmul_nbits,
        "K N accuracy_level bits block_size weight_prepacked",
        inputs=(3, 6),
        domains=CONTRIB,
    ),
)
