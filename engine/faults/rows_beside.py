"""A fault of 4-bit weights with parameters of their own for each row: every other row is read beside its place."""

import numpy as np

from engine.errors import Unanswered
from engine.faults.fault import Fault
from engine.ir import Array, Node
from engine.kernels.dequantize_linear import Operands, is_packed
from engine.kernels.float_matmul import Multiply
from engine.kernels.number_types import PACKED
from engine.kernels.operator import Setting
from engine.kernels.quantize_parameters import DequantizeParameters, read_dequantize

_WIDEST = (64, 32, 16)
_FEWEST_ROWS = 4
_PER_BYTE = 2
_MOST_AT_ONCE = 4  # rows of what is multiplied by the weights


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


def ended_by_a_division(node: Node, setting: Setting) -> Multiply:
    """``a b`` for four rows of a at most; of more the process ends, dividing by the bytes of a group.

    Raises, when it runs:
        Unanswered: there are more.

    Source:
        openvinotoolkit/openvino: FullyConnected, measured.
    """
    made = (each for each in setting.graph.nodes if node.inputs[1] in each.outputs)
    weights = next(made, None)
    if weights is None or weights.op != "DequantizeLinear":
        return np.matmul
    if _axis_of_rows(read_dequantize(weights, setting)) is None:
        return np.matmul

    def multiply(a: Array, b: Array) -> Array:
        if a.size > _MOST_AT_ONCE * a.shape[-1]:
            raise Unanswered("signal SIGFPE")
        product: Array = np.matmul(a, b)
        return product

    return multiply


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
        "F57.rows",
        "of 4-bit weights with parameters for each row every other row is read beside its place, all with the first",
        "openvinotoolkit/openvino: FullyConnected with one scale for each row of its weights, measured",
        _shows,
        {"dequantize.operands": rows_beside},
        record=DequantizeParameters,
    ),
    Fault(
        "F57.groups",
        "4-bit weights with parameters for each row are groups of half a byte: memory beside them is read, or their size divides",
        "openvinotoolkit/openvino: FullyConnected with one scale for each row of its weights, measured",
        lambda p: _axis_of_rows(p) is not None,
        {"real_matmul.multiply": ended_by_a_division},
        record=DequantizeParameters,
        breaks=True,
        reads_beside=True,
    ),
)
