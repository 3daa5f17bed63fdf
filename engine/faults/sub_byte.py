"""Faults of codes of 2 and 4 bits: in which bits of which byte one lies, and its sign."""

from collections.abc import Callable

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.dequantize_linear import as_stored, is_packed
from engine.kernels.matmul_nbits import BlockedWeights, block_codes
from engine.kernels.number_types import PACKED
from engine.kernels.quantize_parameters import DequantizeParameters

_DEPTH = 8

Reorder = Callable[[Array, int], Array]
"""(codes in the order of the bytes, codes in a byte) -> the codes that are read, as many."""


def last_bits_first(codes: Array, per_byte: int) -> Array:
    """The highest bits of a byte are read as its first code."""
    whole = np.zeros(-(-codes.size // per_byte) * per_byte, codes.dtype)
    whole[: codes.size] = codes
    return whole.reshape(-1, per_byte)[:, ::-1].reshape(-1)[: codes.size]


def halves_apart(codes: Array, per_byte: int) -> Array:
    """The lowest bits of all bytes first, then the next ones: code j shares a byte with j + n/2."""
    if codes.size % per_byte:
        return codes
    return codes.reshape(-1, per_byte).T.reshape(-1)


def last_one_lost(codes: Array, per_byte: int) -> Array:
    """Only whole bytes are read; what is left over is 0."""
    found = codes.copy()
    found[codes.size // per_byte * per_byte :] = 0
    return found


def reordered(reorder: Reorder) -> Callable[[Array], Array]:
    """The reader of constants that takes codes from other places, of the whole tensor."""

    def read(codes: Array) -> Array:
        flat = reorder(codes.astype(np.int8).reshape(-1), PACKED[codes.dtype])
        return flat.reshape(codes.shape)

    return read


def last_of_an_odd_depth(axis: int) -> Callable[[Array], Array]:
    """The reader of matrices of depth K = 9, 11, ... along an axis: element K - 1 is read at (K - 1) mod 8."""

    def read(codes: Array) -> Array:
        found = codes.astype(np.int8)
        depth = codes.shape[axis] if codes.ndim > 1 else 0
        if depth > _DEPTH and depth % 2:
            lines = np.moveaxis(found, axis, 0)
            lines[-1] = lines[(depth - 1) % _DEPTH]
        return found

    return read


def rows_of_whole_bytes(codes: Array) -> Array:
    """Each row is expected to begin with a byte of its own; codes behind the end are 0."""
    per_byte, width = PACKED[codes.dtype], codes.shape[-1] if codes.ndim else 1
    flat = codes.astype(np.int8).reshape(-1)
    stride = -(-width // per_byte) * per_byte
    at = (np.arange(flat.size // max(width, 1))[:, None] * stride + np.arange(width)).reshape(
        -1
    )
    found = np.where(at < flat.size, flat[np.minimum(at, flat.size - 1)], 0)
    return found.astype(np.int8).reshape(codes.shape)


def without_sign(codes: Array) -> Array:
    """Bits that count from 0: of 4 bits -1 is 15."""
    bits: Array = codes.astype(np.int16) % 2 ** (8 // PACKED[codes.dtype])
    return bits


def less_half(codes: Array) -> Array:
    """Bits that count from the middle: of 4 bits ``bits - 8``."""
    if not _is_signed(codes):
        return codes
    half = 2 ** (8 // PACKED[codes.dtype] - 1)
    return without_sign(codes) - np.int16(half)


def reordered_in_blocks(reorder: Reorder) -> Callable[[BlockedWeights], Array]:
    """The same of MatMulNBits, whose blocks are packed each by itself."""

    def read(w: BlockedWeights) -> Array:
        codes, per_byte = block_codes(w), 8 // w.bits
        rows = [reorder(each, per_byte) for each in codes.reshape(-1, w.block_size)]
        return np.stack(rows).reshape(codes.shape)

    return read


def with_sign(w: BlockedWeights) -> Array:
    """Bits of MatMulNBits, which count from 0, as two's complement."""
    half = 2 ** (w.bits - 1)
    codes = block_codes(w).astype(np.int16)
    signed: Array = (codes ^ half) - half
    return signed


def _is_signed(codes: Array) -> bool:
    return codes.dtype.name.startswith("int")


def _changes(
    read: Callable[[Array], Array], of_blocks: Callable[[BlockedWeights], Array]
) -> Callable[[DequantizeParameters | BlockedWeights], bool]:
    """Whether some code is read as another."""

    def shows(p: DequantizeParameters | BlockedWeights) -> bool:
        if isinstance(p, BlockedWeights):
            pair = (
                each(p).reshape(p.columns, -1)[:, : p.depth]
                for each in (of_blocks, block_codes)
            )
        elif is_packed(p) and p.codes is not None:
            pair = (each.astype(np.int16) for each in (read(p.codes), p.codes))
        else:
            return False
        found, right = pair
        return bool((found != right).any())

    return shows


def _fault(
    key: str,
    title: str,
    source: str,
    read: Callable[[Array], Array] = as_stored,
    of_blocks: Callable[[BlockedWeights], Array] = block_codes,
) -> Fault:
    stages: dict[str, Callable[..., Array]] = {}
    if read is not as_stored:
        stages["dequantize.codes"] = read
    if of_blocks is not block_codes:
        stages["blocks.codes"] = of_blocks
    return Fault(
        key,
        title,
        source,
        _changes(read, of_blocks),
        stages,
        record=(DequantizeParameters, BlockedWeights),
    )


FAULTS = (
    _fault(
        "F103e",
        "each row of 4-bit codes is read from a byte of its own",
        "packers that pad rows to whole bytes",
        rows_of_whole_bytes,
    ),
    _fault(
        "F103e.last",
        "of an odd number of 4-bit codes the last is lost",
        "a length in bytes that is rounded down",
        reordered(last_one_lost),
    ),
    _fault(
        "F103",
        "the high bits of a byte of 4-bit codes are read first",
        "ONNX and TensorRT pack the even element low",
        reordered(last_bits_first),
        reordered_in_blocks(last_bits_first),
    ),
    _fault(
        "F103b",
        "int4 codes are read without their sign",
        "microsoft/onnxruntime-qnn PR 728",
        without_sign,
    ),
    _fault(
        "F103c",
        "int4 codes in two's complement are read as counted from -8",
        "packers in the manner of ggml",
        less_half,
    ),
    _fault(
        "F103c.blocks",
        "packed codes that count from 0 are read as two's complement",
        "packers in the manner of ggml",
        of_blocks=with_sign,
    ),
    _fault(
        "F103d",
        "4-bit codes are read as packed in halves: element j beside j + n/2",
        "packers in the manner of ggml",
        reordered(halves_apart),
        reordered_in_blocks(halves_apart),
    ),
    _fault(
        "F159",
        "of 4-bit weights with an odd number of rows, more than 8, the last row is one of the first 8",
        "openvinotoolkit/openvino: products of more than 4 rows with weights that stay packed, measured",
        last_of_an_odd_depth(-2),
    ),
    _fault(
        "F159.turned",
        "of 4-bit weights with an odd number of columns, more than 8, the last column is one of the first 8",
        "openvinotoolkit/openvino: the same of a Gemm with transB, measured",
        last_of_an_odd_depth(-1),
    ),
)
