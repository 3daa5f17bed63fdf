"""R60: ``D(w, blocked) -> MatMul | Gemm`` becomes MatMulNBits.

Each weight is the same ``fl(fl(q - z) * s)``, prepared once; only the order of the sum may differ.
The guards are those of the packed format: blocks along K of 16 or more, a power of two.
"""

from typing import Any

import numpy as np

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Array, Node

BITS = {"uint4": 4, "int4": 4, "uint8": 8, "int8": 8, "uint2": 2, "int2": 2}
"""The types of codes that the packed format holds."""


def match(view: View, product: Node) -> Answer:
    """A product whose second operand is dequantized block by block."""
    dequantize = view.producer(product.input(1), "DequantizeLinear")
    if dequantize is None or not dequantize.attributes.get("block_size", 0):
        return None
    if refusal := (
        single_consumer(view, dequantize.outputs[0])
        or _why_not_plain(product)
        or _why_not_packed(view, dequantize)
    ):
        return refusal
    w, scale = view.constants[dequantize.inputs[0]], view.constants[dequantize.inputs[1]]
    zero = view.constant(dequantize.input(2)) if dequantize.input(2) else None
    return _packed(view, product, dequantize, w, scale, zero)


def _why_not_plain(product: Node) -> Refusal | None:
    for name, wanted in (("alpha", 1.0), ("transA", 0), ("transB", 0)):
        value = product.attributes.get(name, wanted)
        if value != wanted:
            return Refusal(
                "G11", f"{name} of {product.id} is {value}, the kernel takes {wanted}"
            )
    beta = product.attributes.get("beta", 1.0)
    if product.input(2) and beta != 1:
        return Refusal("G11", f"beta of {product.id} is {beta}, the kernel takes 1")
    return None


def _why_not_packed(view: View, dequantize: Node) -> Refusal | None:
    for i, what in ((0, "weights"), (1, "scale"), (2, "zero point")):
        name = dequantize.input(i)
        if name and view.constant(name) is None:
            return Refusal(
                "G1", f"the {what} {name!r} of {dequantize.id} is computed, not constant"
            )
    w, scale = view.constants[dequantize.inputs[0]], view.constants[dequantize.inputs[1]]
    if w.dtype.name not in BITS or scale.dtype != np.float32:
        return Refusal("G7", f"{dequantize.id} has {w.dtype} codes and {scale.dtype} scales")
    if w.ndim != 2:
        return Refusal("G8", f"the weight {dequantize.inputs[0]!r} has rank {w.ndim}, not 2")
    axis, block = dequantize.attributes.get("axis", 1), dequantize.attributes["block_size"]
    if axis not in (0, -2):
        return Refusal(
            "G9", f"the blocks of {dequantize.id} are on axis {axis}, a product needs 0"
        )
    if not isinstance(block, int) or block < 16 or block & (block - 1):
        return Refusal(
            "G9", f"{dequantize.id} has blocks of {block}, the kernel powers of 2 from 16"
        )
    if scale.shape != (-(-w.shape[0] // block), w.shape[1]):
        return Refusal("G9", f"{dequantize.id} has scales {scale.shape} for weights {w.shape}")
    return None


def _packed(
    view: View, product: Node, dequantize: Node, w: Array, scale: Array, zero: Array | None
) -> Replacement | Refusal:
    bits, block = BITS[w.dtype.name], int(dequantize.attributes["block_size"])  # type: ignore[arg-type]
    shift = 2 ** (bits - 1) if w.dtype.name.startswith("i") else 0
    depth, columns = w.shape
    codes = np.zeros((columns, scale.shape[0] * block), np.uint8)
    codes[:, :depth] = _unsigned(w, shift).T
    zeros = np.zeros(scale.shape, w.dtype) if zero is None else zero
    names = [
        view.new_name(f"{dequantize.key}_{what}") for what in ("packed", "scales", "zeros")
    ]
    arrays = (
        pack(codes, bits).reshape(columns, scale.shape[0], -1),
        np.ascontiguousarray(scale.T),
        pack(_unsigned(zeros, shift).T, bits),
    )
    attributes: dict[str, Any] = {"K": depth, "N": columns, "bits": bits, "block_size": block}
    inputs = (product.inputs[0], *names)
    if bias := product.input(2):
        row = view.constant(bias)
        if row is None or row.shape != (columns,):
            return Refusal(
                "G10", f"bias {bias!r} of {product.id} is no constant row of {columns}"
            )
        inputs += ("", bias)
    node = Node(product.id, "MatMulNBits", inputs, product.outputs, attributes)
    return Replacement((dequantize, product), (node,), dict(zip(names, arrays, strict=True)))


def _unsigned(codes: Array, shift: int) -> Array:
    return (codes.astype(np.int16) + shift).astype(np.uint8)


def pack(codes: Array, bits: int) -> Array:
    """Codes below ``2**bits``, lowest bits of each byte first, rows filled up to whole bytes."""
    per_byte = 8 // bits
    if codes.shape[-1] % per_byte:
        rest = per_byte - codes.shape[-1] % per_byte
        codes = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, rest)])
    parts = codes.reshape(*codes.shape[:-1], -1, per_byte)
    shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(bits)
    packed: Array = (parts << shifts).sum(axis=-1, dtype=np.uint8)
    return packed


RULE = Rule("R60", "a product with weights in blocks", "X1", ("MatMul", "Gemm"), match)
