"""Looking inside a backend without changing what it fuses.

Marking intermediate tensors as graph outputs removes the fusions and hides the bug. So a backend
taps itself (it hands tensors out, or runs its own optimized graph once more with taps), and only a
run whose final outputs stay bit-equal counts; otherwise the model is cut after each quantized
tensor and every prefix is run as a model of its own.
"""

from collections.abc import Mapping

import numpy as np
import onnx

from corpus.case import Array, Case, node_id
from harness.backends.pool import Pool
from harness.backends.spec import BackendSpec
from harness.cut import cut, nodes_between, reads, tensor_types
from harness.outcome import FusedOp, Tapped, Values

PREFIXES = "prefixes"
CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear"})
SUMS = frozenset(
    {
        *("Conv", "ConvTranspose", "ConvInteger", "QLinearConv"),
        *("MatMul", "Gemm", "MatMulInteger", "QLinearMatMul", "QGemm", "MatMulNBits"),
        *("MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
    }
)


def observe(pool: Pool, spec: BackendSpec, case: Case, final: Mapping[str, Array]) -> Tapped:
    """The tensors inside ``spec``'s run of ``case``; ``final`` are its untapped outputs."""
    tapped = pool.tap(case, spec)
    known_plan = tapped.plan if isinstance(tapped, Tapped) else ()
    if isinstance(tapped, Tapped) and tapped.arrays and _agrees(tapped, final):
        return Tapped(
            arrays={**case.inputs, **tapped.arrays, **final},
            plan=tapped.plan,
            method=tapped.method,
            confirmed=True,
        )
    return _prefixes(pool, spec, case, known_plan, final)


def units(model: onnx.ModelProto) -> tuple[FusedOp, ...]:
    """The operations between one quantized tensor and the next, by the model alone."""
    graph = model.graph
    borders = {each.name: None for each in graph.input} | dict.fromkeys(boundaries(model))
    found = []
    for output in boundaries(model):
        others = {name: None for name in borders if name != output}
        nodes = nodes_between(graph, others, [output])
        inputs = {name for node in nodes for name in reads(node) if name in others}
        found.append(
            FusedOp(
                kind=main_op(nodes),
                name=node_id(main_node(nodes)),
                nodes=tuple(node_id(node) for node in nodes),
                inputs=tuple(sorted(inputs)),
                outputs=(output,),
            )
        )
    return tuple(found)


def boundaries(model: onnx.ModelProto) -> tuple[str, ...]:
    """Every computed tensor that holds codes, and the graph's outputs, in topological order."""
    final = {each.name for each in model.graph.output}
    return tuple(
        name
        for node in model.graph.node
        for name in node.output
        if name in final
        or node.op_type == "QuantizeLinear"
        or node.op_type.startswith("QLinear")
    )


def main_node(nodes: list[onnx.NodeProto]) -> onnx.NodeProto:
    """The first node with sums of products, else the first that does more than convert, else the last.

    Kernels are made for those sums; what else they take in comes before or behind them by chance.
    An Identity is the main node of nothing but identities.
    """
    summed = (node for node in nodes if node.op_type in SUMS)
    acting = [node for node in nodes if node.op_type != "Identity"] or nodes
    more = (node for node in acting if node.op_type not in CONVERSIONS)
    return next(summed, None) or next(more, acting[-1])


def main_op(nodes: list[onnx.NodeProto]) -> str:
    """The ONNX operator of ``main_node``."""
    return str(main_node(nodes).op_type)


def _agrees(tapped: Tapped, final: Mapping[str, Array]) -> bool:
    return tapped.confirmed and all(
        name not in tapped.arrays or np.array_equal(tapped.arrays[name], array, equal_nan=True)
        for name, array in final.items()
    )


def _prefixes(
    pool: Pool,
    spec: BackendSpec,
    case: Case,
    plan: tuple[FusedOp, ...],
    final: Mapping[str, Array],
) -> Tapped:
    model = case.proto()
    types = tensor_types(case)
    inner = [name for name in boundaries(model) if name not in final]
    cuts = [cut(case, [name], types) for name in inner]
    arrays = {**case.inputs, **final}
    for name, outcomes in zip(inner, pool.run(cuts, [spec]), strict=True):
        outcome = outcomes[spec.text]
        if isinstance(outcome, Values) and name in outcome.arrays:
            arrays[name] = outcome.arrays[name]
    named = tuple(_named(unit, plan) for unit in units(model))
    return Tapped(arrays=arrays, plan=named, method=PREFIXES, confirmed=True)


def _named(unit: FusedOp, plan: tuple[FusedOp, ...]) -> FusedOp:
    """The unit under the name that the backend gives to its main operation."""
    covers = [step for step in plan if unit.name in step.nodes]
    step = max(covers, key=lambda each: len(set(each.nodes) & set(unit.nodes)), default=unit)
    return FusedOp(step.kind, step.name, unit.nodes, unit.inputs, unit.outputs)


def whole_graph(case: Case) -> FusedOp:
    """The whole model as one operation, named after its first node that does more than convert."""
    graph = case.proto().graph
    nodes = list(graph.node)
    return FusedOp(
        kind=main_op(nodes),
        name=node_id(main_node(nodes)),
        nodes=tuple(node_id(node) for node in nodes),
        inputs=tuple(case.inputs),
        outputs=tuple(each.name for each in graph.output),
    )
