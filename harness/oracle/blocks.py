"""MatMulNBits: a product with weights of 2, 4 or 8 bits in blocks, each with its scale and zero point.

Source: the operator's documentation (com.microsoft): the weights are dequantized as
``(q - zero) * scale``, then multiplied. ``accuracy_level`` 4 lets a kernel quantize A as it likes:
nothing is said about that.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import UNIT, is_power_of_two
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.quantize import check_scale
from harness.oracle.terms import add_bias, products, settle
from harness.oracle.values import Reals, Silent


def matmul_nbits(node: Node, inputs: Inputs) -> Reals:
    """``a w + bias``, ``w[k, n] = (q - zero) scale`` of the block of k.

    Shapes: a ``(..., K)``, packed weights ``(N, blocks, bytes)``, scales ``(N * blocks)``.

    Raises:
        Silent: reordered groups, an accuracy level that allows A to be quantized.
    """
    if int(node.attributes.get("accuracy_level", 0)) == 4:
        raise Silent("accuracy_level 4 lets a kernel quantize A in its own way", node.where)
    if inputs.has(4) and inputs.array(4).size:
        raise Silent("g_idx is not judged", node.where)
    a, w = inputs.reals(0), _weights(node, inputs)
    unit = np.asarray(float(np.min(a.grid)) * float(np.min(w.grid)))
    terms = products(a, w, np.matmul, unit)
    if inputs.has(5):
        terms = add_bias(terms, inputs.reals(5), None)
    # Kernels that subtract the zero point from a float q, or scale a block's sum, round twice more.
    return settle(terms, a.centre.shape[-1] + 2, None)


def _weights(node: Node, inputs: Inputs) -> Reals:
    columns, depth = int(node.attributes["N"]), int(node.attributes["K"])
    bits, size = int(node.attributes.get("bits", 4)), int(node.attributes["block_size"])
    blocks = -(-depth // size)
    if bits not in (2, 4, 8):
        raise Silent(f"{bits} bits are not judged", node.where)
    packed = inputs.array(1).reshape(columns, blocks, -1)
    codes = unpacked(packed, bits)[..., :size].astype(np.float64)
    scale = inputs.array(2).astype(np.float64).reshape(columns, blocks, 1)
    check_scale(np.abs(scale), node)
    zero = _zero_points(inputs.optional(3), columns, blocks, bits)

    def spread(array: Array) -> Array:
        whole = np.broadcast_to(array, (columns, blocks, size))
        return whole.reshape(columns, blocks * size)[:, :depth].T

    w = spread((codes - zero) * scale)
    grid = np.where(is_power_of_two(np.abs(scale)) & (zero == np.rint(zero)), np.abs(scale), 0)
    return Reals(w, w, w, UNIT, spread(grid))


def unpacked(packed: Array, bits: int) -> Array:
    """Codes of the last axis's bytes, the lowest bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = (packed[..., None] >> shifts) & np.uint8(2**bits - 1)
    return codes.reshape(*packed.shape[:-1], -1)


def _zero_points(zero: Array | None, columns: int, blocks: int, bits: int) -> Array:
    """One for each block: packed as the weights are, or plain numbers; 2^(bits - 1) without."""
    if zero is None:
        return np.full((1, 1, 1), 2.0 ** (bits - 1))
    if zero.dtype == np.uint8:
        zero = unpacked(zero.reshape(columns, -1), bits)[:, :blocks]
    return zero.astype(np.float64).reshape(columns, blocks, 1)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Reals]] = MappingProxyType(
    {"com.microsoft::MatMulNBits": matmul_nbits}
)
