"""R23: ``D(x), D(w)[, D(b)] -> Conv -> Sigmoid -> Mul(conv, sigmoid) -> Q`` becomes one operation.

Both inputs of the Mul are this convolution, which has no other readers. Its real value is that of the
exact integer sum; the activation is computed as the graph does. Only for arithmetic that has such a
kernel (G16).
"""

from engine.fusion import r01_conv
from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Node


def match(view: View, mul: Node) -> Answer:
    """A Mul of a convolution and its own sigmoid."""
    for real, gate in (mul.inputs, mul.inputs[::-1]):
        conv, sigmoid = view.producer(real, "Conv"), view.producer(gate, "Sigmoid")
        if conv is not None and sigmoid is not None and sigmoid.inputs[0] == real:
            return _swish(view, conv, sigmoid, mul)
    return None


def _swish(view: View, conv: Node, sigmoid: Node, mul: Node) -> Answer:
    quantize = r01_conv.quantize_after(view, mul.outputs[0])
    if quantize is None:
        return None
    if view.profile.residual is None:
        return Refusal("G16", f"profile {view.profile.name} has no convolution with SiLU")
    if view.is_output(conv.outputs[0]) or len(view.users(conv.outputs[0])) != 2:
        return Refusal(
            "G3", f"{conv.outputs[0]!r} is read by more than {sigmoid.id} and {mul.id}"
        )
    if refusal := (
        single_consumer(view, sigmoid.outputs[0]) or single_consumer(view, mul.outputs[0])
    ):
        return refusal
    answer = r01_conv.fuse(view, conv, (sigmoid, mul), quantize, {}, alone=False)
    if isinstance(answer, Refusal):
        return answer
    (fused,) = answer.added
    node = Node(conv.id, "QLinearConvSiLU", fused.inputs, fused.outputs, fused.attributes)
    return Replacement(answer.covered, (node,), answer.constants)


RULE = Rule("R23", "convolution with SiLU", "X1", ("Mul",), match)
