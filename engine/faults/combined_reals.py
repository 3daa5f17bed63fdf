"""Faults of operators on several tensors of reals."""

from functools import reduce

import numpy as np

from engine.faults.fault import Fault
from engine.kernels.binary import BinaryParameters, Combined

_OTHERS = ("Sub", "Div", "Max", "Min")


def added(p: BinaryParameters, function: Combined) -> Combined:
    """``a + b + ...`` for these operators, too."""
    return (lambda tensors: reduce(np.add, tensors)) if p.node.op in _OTHERS else function


def _is_between_codes(p: BinaryParameters) -> bool:
    """Whether it reads dequantized codes alone, and its result is quantized alone."""
    nodes, result = p.graph.nodes, p.node.outputs[0]
    made = {name: each.op for each in nodes for name in each.outputs}
    before = {made.get(name) for name in p.node.inputs}
    after = {each.op for each in nodes if result in each.inputs}
    return before == {"DequantizeLinear"} and after == {"QuantizeLinear"}


FAULTS = (
    Fault(
        "F92.reals",
        "dequantized reals are added before a QuantizeLinear, whatever the operator is",
        "opencv/opencv 5.x fuses every element-wise layer as a sum, of any scales and types",
        lambda p: p.node.op in _OTHERS and _is_between_codes(p),
        {"binary.function": added},
        record=BinaryParameters,
    ),
)
