"""R12: ``D -> f -> Q`` becomes a table of all 256 codes, f any function element by element.

f is whatever lies between one D and one Q: a chain, or branches that meet again as in x sigmoid(x),
with constant parameters, one for all or one for each channel. The table is computed by the operators
that it replaces, so every bit stays.
"""

from dataclasses import dataclass

import numpy as np

from engine.fusion.guards import with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.operands import one_scale
from engine.fusion.ordering import in_order
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Array, Attribute, Node
from engine.kernels.table import chain_of

_NAMES = (
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BatchNormalization Ceil Celu Clip Cos "
    "Cosh Div Dropout Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid "
    "HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mul "
    "Neg Not Or PRelu Pow QuickGelu Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin "
    "Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor "
)
FUNCTIONS = frozenset(_NAMES.split())
"""Operators that compute each element from the elements at its place, and constants."""

_MOST_NODES = 64
_MOST_PARAMETERS = 2048


@dataclass(frozen=True, slots=True)
class Region:
    """What lies between one D and a Q, in order, and the constants it reads."""

    dequantize: Node
    nodes: tuple[Node, ...]
    constants: dict[str, Array]


def match(view: View, quantize: Node) -> Answer:
    """A QuantizeLinear and a function of one DequantizeLinear before it."""
    dropped: Replacement | None = view.by_stage(
        "rewrite.dropped", nothing_dropped, view, quantize
    )
    if dropped:
        return dropped
    region = region_before(view, quantize)
    if region is None:
        return None
    x, y = one_scale(view, region.dequantize), one_scale(view, quantize)
    if isinstance(x, Refusal):
        return x
    if isinstance(y, Refusal):
        return y
    spread = _spread(region)
    if isinstance(spread, Refusal):
        return spread
    if refusal := own_dequantize(view, region.dequantize) or _kept_inside(
        view, region, quantize
    ):
        return refusal
    (x_names, y_names), constants = with_zero_points(view, (x, y))
    source, end = region.dequantize.outputs[0], quantize.inputs[0]
    chain = chain_of(region.nodes, source, end, region.constants, view.graph.opset)
    channels = any(each.op == "BatchNormalization" for each in region.nodes)
    inputs = (region.dequantize.inputs[0], *x_names, *y_names)
    attributes: dict[str, Attribute] = {
        "chain": chain,
        "spread": spread,
        "channels": int(channels),
    }
    fused = Node(region.nodes[-1].id, "QLinearTable", inputs, quantize.outputs, attributes)
    covered = (region.dequantize, *region.nodes, quantize)
    return Replacement(covered, (fused,), constants)


def nothing_dropped(view: View, quantize: Node) -> Replacement | None:
    """What becomes of a QuantizeLinear whose function is left out."""
    return None


def region_before(view: View, quantize: Node) -> Region | None:
    """The operators between one DequantizeLinear and this Q, if all are functions."""
    found: dict[str, Node] = {}
    constants: dict[str, Array] = {}
    sources: dict[str, Node] = {}
    waiting = [quantize.inputs[0]]
    while waiting:
        name = waiting.pop()
        constant, node = view.constant(name), view.producer(name)
        if constant is not None:
            constants[name] = constant
        elif node is not None and node.op == "DequantizeLinear":
            sources[node.key] = node
        elif node is None or node.op not in FUNCTIONS or len(node.outputs) > 1:
            return None
        elif node.key not in found:
            found[node.key] = node
            waiting.extend(filter(None, node.inputs))
        if len(found) > _MOST_NODES or len(sources) > 1:
            return None
    if not found or not sources:
        return None
    order = in_order(found.values())
    if any(not constants.keys() >= set(filter(None, _fixed(each))) for each in order):
        return None
    return Region(next(iter(sources.values())), order, constants)


def _fixed(node: Node) -> tuple[str, ...]:
    """The inputs that must be constants."""
    return node.inputs[1:] if node.op in ("Clip", "BatchNormalization", "Dropout") else ()


def _kept_inside(view: View, region: Region, quantize: Node) -> Refusal | None:
    """G3: nobody else needs a float tensor of the region."""
    inside = {each.key for each in region.nodes} | {quantize.key}
    for node in region.nodes:
        name = node.outputs[0]
        if view.is_output(name) or any(each.key not in inside for each in view.users(name)):
            return Refusal("G3", f"{view.why_shared(name)}, so it must exist in float")
    return None


def _spread(region: Region) -> tuple[int, ...] | Refusal:
    """The shape of the parameters; G2 where a table for each would be too large."""
    normalized = [each for each in region.nodes if each.op == "BatchNormalization"]
    others = [
        region.constants[name].shape
        for each in region.nodes
        if each.op != "BatchNormalization"
        for name in each.inputs
        if name in region.constants
    ]
    try:
        shape = np.broadcast_shapes(*others)
    except ValueError:
        return Refusal("G2", f"the parameters before {region.nodes[-1].id} do not broadcast")
    if normalized and shape:
        return Refusal(
            "G2",
            f"{normalized[0].id} has parameters for channels, others have {shape}; a table takes one "
            f"kind",
        )
    if normalized:
        shape = (region.constants[normalized[0].inputs[1]].size,)
    if not 0 < int(np.prod(shape)) <= _MOST_PARAMETERS:
        return Refusal(
            "G2",
            f"the parameters before {region.nodes[-1].id} have shape {shape}; a table takes 1 to "
            f"{_MOST_PARAMETERS}",
        )
    return shape


RULE = Rule("R12", "function of codes as a table", "X0", ("QuantizeLinear",), match)
