"""Faults of products whose reals are quantized when they run."""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.matmul_stages import MatMulParameters


def multiplied_as_reals(
    a: Array, b: Array, b_scale: Array, b_zero: Array | None, bias: Array | None
) -> Array:
    """``a ((qb - bz) bs) + bias``, as near as float32 gets."""
    weights = b.astype(np.float64) - (0 if b_zero is None else b_zero.astype(np.float64))
    sums = np.matmul(a.astype(np.float64), weights * b_scale)
    y: Array = (sums if bias is None else sums + bias).astype(np.float32)
    return y


FAULTS = (
    Fault(
        "F144",
        "DynamicQuantizeMatMul multiplies its reals as they are, without quantizing them",
        "openvinotoolkit/openvino: the ONNX front end's DynamicQuantizeMatMul, measured",
        lambda p: p.op == "DynamicQuantizeMatMul",
        {"matmul.dynamic": multiplied_as_reals},
        record=MatMulParameters,
    ),
)
