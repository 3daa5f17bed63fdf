"""Every check, family by family."""

from tests.emulation import elementwise, matmul, matmul_torch, pooling, quantize
from tests.emulation.check import Check

CHECKS: tuple[Check, ...] = (
    *elementwise.CHECKS,
    *pooling.CHECKS,
    *quantize.CHECKS,
    *matmul.CHECKS,
    *matmul_torch.CHECKS,
)
