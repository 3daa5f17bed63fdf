"""R44: ``Relu -> Q`` becomes Q where ``z == qmin``.

``x < 0`` gives ``sat(rne(x/s) + z) = qmin = z``, the code of ``max(x, 0) = 0``: for every scale of a
per-channel Q, for 8 and for 16 bits. Whoever else reads the Relu still has it.
"""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r40_equal_pair import Coding, read_coding
from engine.ir import Node
from engine.kernels.number_types import INTEGER_CODES, PACKED
from engine.kernels.qlinear_conv import scale_problem
from engine.kernels.quantize_parameters import FLOAT32


def match(view: View, quantize: Node) -> Answer:
    """A QuantizeLinear behind a Relu."""
    relu = view.producer(quantize.inputs[0], "Relu")
    if relu is None:
        return None
    moved: Replacement | None = view.by_stage("rewrite.relu", stays, view, relu, quantize)
    if moved:
        return moved
    y = float32_coding(view, quantize)
    if isinstance(y, Refusal):
        return y
    low, high = INTEGER_CODES[y.dtype]
    if (y.zero_point != low).any():
        first = int(y.zero_point[y.zero_point != low][0])
        reason = f"Relu {relu.id} keeps codes {first} to {high}, {y.dtype} has {low} to {high}"
        if refusal := view.refuse("G11", reason):
            return refusal
    return without(relu, quantize)


def stays(view: View, relu: Node, quantize: Node) -> Replacement | None:
    """What becomes of a Relu and a QuantizeLinear that do not commute."""
    return None


def without(activation: Node, quantize: Node) -> Replacement:
    """The QuantizeLinear reading what the activation reads."""
    inputs = (activation.inputs[0], *quantize.inputs[1:])
    direct = Node(quantize.id, "QuantizeLinear", inputs, quantize.outputs, quantize.attributes)
    return Replacement((activation, quantize), (direct,))


def float32_coding(view: View, quantize: Node) -> Coding | Refusal:
    """G1, G6, G7: constant positive float32 scales, codes of 8 or 16 bits, in any granularity.

    Narrower codes and narrower floats are left alone: engines let these wrap around (F76).
    """
    y = read_coding(view, quantize)
    if isinstance(y, Refusal):
        return y
    if y.dtype not in INTEGER_CODES or y.dtype in PACKED:
        return Refusal("G7", f"{quantize.id} has {y.dtype} codes, not of 8 or 16 bits")
    if y.scale.dtype != FLOAT32 or y.real != FLOAT32:
        return Refusal("G7", f"{quantize.id} divides {y.scale.dtype} in {y.real}, not float32")
    if y.scale.size == 0 or (problem := scale_problem(y.scale)):
        return Refusal(
            "G6", f"the scale of {quantize.id} {problem if y.scale.size else 'is empty'}"
        )
    return y


RULE = Rule("R44", "Relu that saturation covers", "X0", ("QuantizeLinear",), match)
