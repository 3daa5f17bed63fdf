"""From a graph to a list of prepared operations, fused or not."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from engine.errors import InvalidModel
from engine.fusion.r46_shared_dequantize import is_needed
from engine.fusion.rewrite import Rewrite, rewrite
from engine.ir import Array, Graph, Node
from engine.kernels.blocked import blocked_convolution
from engine.kernels.convolution import plain_convolution
from engine.kernels.operators import FLOAT_OPERATORS
from engine.kernels.parameters import ConvParameters
from engine.kernels.qlinear_conv import read_qlinear_conv
from engine.kernels.stages import Stages, multiply_exactly
from engine.plan import Step
from engine.profiles import Profile


@dataclass(frozen=True, slots=True)
class Operation:
    """A step with the function that runs it."""

    step: Step
    run: Callable[..., Array]


@dataclass(frozen=True, slots=True)
class Configuration:
    """How a graph is to be run; ``fuse`` is false where every rule is off."""

    profile: Profile
    stages: Stages
    rules_off: Collection[str]
    guards_off: Collection[str]
    fuse: bool


def compile_graph(graph: Graph, how: Configuration) -> list[Operation]:
    """Every operation in order; what a fused one covers and nobody else reads does not run."""
    found = rewrite(graph, how.rules_off, how.guards_off) if how.fuse else None
    program = []
    for node in graph.nodes:
        operation = _operation(node, graph, how, found)
        if operation is not None:
            program.append(operation)
    return program


def _operation(
    node: Node, graph: Graph, how: Configuration, found: Rewrite | None
) -> Operation | None:
    if node.op == "QLinearConv":
        parameters = read_qlinear_conv(node, graph)
        return _integer_convolution(
            parameters, "", (node.id,), (node.inputs[0],), node.outputs, how
        )
    name = node.outputs[0]
    if found is None or name not in found.covered:
        return _single(node, graph, how, "")
    if fused := found.fused.get(name):
        nodes = tuple(each.id for each in fused.nodes)
        if fused.parameters is None:
            step = Step("Identity", fused.rule, nodes, (fused.input,), (fused.output,))
            return Operation(step, lambda codes: codes)
        return _integer_convolution(
            fused.parameters, fused.rule, nodes, (fused.input,), (fused.output,), how
        )
    if node.op == "DequantizeLinear" and is_needed(found.view, node, found.covered):
        return _single(node, graph, how, "R46")
    return None


def _single(node: Node, graph: Graph, how: Configuration, rule: str) -> Operation:
    if not node.inputs or not node.inputs[0]:
        raise InvalidModel(f"{node.op} {node.id!r} has no input")
    run = FLOAT_OPERATORS[node.op](node, graph, how.profile)
    return Operation(Step(node.op, rule, (node.id,), node.inputs, node.outputs), run)


def _integer_convolution(
    parameters: ConvParameters,
    rule: str,
    nodes: tuple[str, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    how: Configuration,
) -> Operation:
    plain = how.stages.accumulate is not multiply_exactly or "R64" in how.rules_off
    blocked = not plain and not how.stages.layout(parameters)
    build = blocked_convolution if blocked else plain_convolution
    kind = "QConvBlocked" if blocked else "QConv"
    step = Step(kind, rule, nodes, inputs, outputs, parameters)
    return Operation(step, build(parameters, how.stages, how.profile))
