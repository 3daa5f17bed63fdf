"""Every check, family by family."""

from tests.emulation import conv, elementwise, matmul, matmul_torch, pooling, quantize
from tests.emulation.check import Check

CHECKS: tuple[Check, ...] = (
    *conv.CHECKS,
    *elementwise.CHECKS,
    *pooling.CHECKS,
    *quantize.CHECKS,
    *matmul.CHECKS,
    *matmul_torch.CHECKS,
)
