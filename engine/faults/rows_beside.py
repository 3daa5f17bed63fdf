"""A fault of 4-bit weights with parameters of their own for each row: every other row is read beside its place."""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array, Node
from engine.kernels.dequantize_linear import Operands, is_packed
from engine.kernels.number_types import PACKED
from engine.kernels.quantize_parameters import DequantizeParameters

_WIDEST = (64, 32, 16)
_FEWEST_ROWS = 4
_PER_BYTE = 2


def rows_beside(
    p: DequantizeParameters, q: Array, scale: Array, zero_point: Array | None
) -> Operands:
    """Each odd row half a block beside its place; the first scale and zero point serve all rows.

    Source:
        openvinotoolkit/openvino: FullyConnected, measured; parameters by row are groups of one row each there.
    """
    axis = _axis_of_rows(p)
    if axis is None:
        return q, scale, zero_point
    read = _beside(np.moveaxis(q.astype(np.int8), axis, 0))
    first = None if zero_point is None else zero_point.reshape(-1)[0]
    return np.moveaxis(read, 0, axis).astype(q.dtype), scale.reshape(-1)[0], first


def _beside(rows: Array) -> Array:
    """Rows (K, N) in blocks of 64, 32 or 16 columns, the widest that N fills, or 16.

    The first half of an odd row k is the last half of row k - 1, its last half the first half of row k + 1, block by
    block. Behind the last row and column is 0, for memory that nobody wrote.
    """
    count, width = rows.shape
    size = next((each for each in _WIDEST if width >= each), _WIDEST[-1])
    padded = np.zeros((count + 2, -(-width // size) * size), rows.dtype)
    padded[:count, :width] = rows
    halves = padded.reshape(count + 2, -1, 2, size // 2)
    found = halves.copy()
    found[1:count:2, :, 0] = halves[0 : count - 1 : 2, :, 1]
    found[1:count:2, :, 1] = halves[2 : count + 1 : 2, :, 0]
    return found.reshape(padded.shape)[:count, :width]


def _axis_of_rows(p: DequantizeParameters) -> int | None:
    """The axis K of constant weights that a product sums over, if each row has parameters of its own."""
    codes, scale = p.codes, p.scale
    if codes is None or scale is None or not is_packed(p) or codes.ndim != 2:
        return None
    axis = _summed_by(p)
    if axis is None or PACKED[codes.dtype] != _PER_BYTE:
        return None
    count, width = codes.shape[axis], codes.shape[1 - axis]
    if count < _FEWEST_ROWS or width == 1:
        return None
    if scale.ndim == 1:
        along = p.granularity.axis
        return axis if scale.size > 1 and along is not None and along % 2 == axis else None
    by_row = scale.ndim == 2 and scale.shape[axis] == count and scale.shape[1 - axis] == 1
    return axis if by_row else None


def _summed_by(p: DequantizeParameters) -> int | None:
    """Which axis of the weights a MatMul or Gemm sums over that reads them as its second operand."""
    nodes = p.graph.nodes
    made = {name for each in nodes if _dequantizes(each, p.data) for name in each.outputs}
    for each in nodes:
        if each.op in ("MatMul", "Gemm") and each.inputs[1] in made:
            return 1 if each.attributes.get("transB", 0) else 0
    return None


def _dequantizes(node: Node, data: str) -> bool:
    return node.op == "DequantizeLinear" and node.inputs[0] == data


def _shows(p: DequantizeParameters) -> bool:
    """Whether some row is read elsewhere as something else, or has other parameters than the first."""
    axis = _axis_of_rows(p)
    if axis is None or p.codes is None:
        return False
    rows = np.moveaxis(p.codes.astype(np.int8), axis, 0)
    given = [each for each in (p.scale, p.zero_point) if each is not None]
    differ = any((each != each.reshape(-1)[0]).any() for each in given)
    return differ or bool((_beside(rows) != rows).any())


FAULTS = (
    Fault(
        "F173",
        "of 4-bit weights with parameters for each row every other row is read beside its place, all with the first",
        "openvinotoolkit/openvino: FullyConnected with one scale for each row of its weights, measured",
        _shows,
        {"dequantize.operands": rows_beside},
        record=DequantizeParameters,
    ),
)
