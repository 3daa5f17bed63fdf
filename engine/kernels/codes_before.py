"""What the reals that an operator reads are made of: the codes of a DequantizeLinear."""

from dataclasses import dataclass

from engine.ir import Array, Node
from engine.kernels.operator import Setting


@dataclass(frozen=True, slots=True)
class CodesBefore:
    """Scale and zero point of a DequantizeLinear, each None where it is left out or computed."""

    scale: Array | None = None
    zero_point: Array | None = None


def codes_before(node: Node, setting: Setting) -> CodesBefore:
    """The parameters of the DequantizeLinear that gives a node its first input, if one does."""
    makers = (each for each in setting.graph.nodes if node.inputs[0] in each.outputs)
    before = next(makers, None)
    if before is None or before.op != "DequantizeLinear":
        return CodesBefore()
    return CodesBefore(*(setting.constant(before.input(n)) for n in (1, 2)))
