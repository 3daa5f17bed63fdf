"""R04: ``Conv | MatMul | Gemm -> Relu | Clip -> Q`` becomes a clamp of the output codes.

``low = max(qmin, rne(a/ys) + yz)`` and ``high = min(qmax, rne(b/ys) + yz)``: quantization is
monotone, hence it commutes with min and max.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from engine.fusion import r01_conv, r06_matmul, r09_gemm
from engine.fusion.activation import activation_after, activation_codes
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Node

FUSE: Mapping[str, Callable[..., Replacement | Refusal]] = MappingProxyType(
    {"Conv": r01_conv.fuse, "MatMul": r06_matmul.fuse, "Gemm": r09_gemm.fuse}
)
"""How each operation is fused with what lies between it and its QuantizeLinear."""


def match(view: View, node: Node) -> Answer:
    """An operation and an activation with constant bounds."""
    found = activation_after(view, node)
    if found is None:
        return None
    between, quantize = found
    activation = activation_codes(view, between, quantize)
    if isinstance(activation, Refusal):
        return activation
    return FUSE[node.op](view, node, (between,), quantize, activation.attributes)


RULE = Rule("R04", "an activation, clamped in codes", "X1", tuple(FUSE), match)
