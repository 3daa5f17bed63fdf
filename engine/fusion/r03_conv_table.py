"""R03: ``QLinearConv -> table`` becomes a convolution whose last stage looks its codes up.

The codes in between are those of the unfused chain, so every bit stays; they need not have the scale
that the table reads them with. Nobody else may read them (G3), and the table must be one for all
channels and all places (G2).
"""

from dataclasses import replace
from typing import Any

import numpy as np

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Node
from engine.kernels.operator import Kernel, Setting
from engine.kernels.operators import OPERATORS
from engine.kernels.stages import correct_stages
from engine.kernels.table import TableParameters, fill_table, table_rules


def match(view: View, node: Node) -> Answer:
    """A table behind a convolution of codes."""
    conv = view.producer(node.inputs[0], "QLinearConv")
    if conv is None:
        return None
    if shared := view.why_shared(conv.outputs[0]):
        return Refusal("G3", f"{shared}, so these codes must exist")
    if "table" in conv.attributes:
        return Refusal("pattern", f"{conv.id} has a table already")
    table = _table(view, node, conv)
    if isinstance(table, Refusal):
        return table
    attributes = {**conv.attributes, **table}
    fused = Node(conv.id, conv.op, conv.inputs, node.outputs, attributes)
    return Replacement((conv, node), (fused,))


def _table(view: View, node: Node, conv: Node) -> dict[str, Any] | Refusal:
    """The codes of the output by code of the input less the lowest one, their zero point, whose they are."""
    setting = Setting(
        replace(view.graph, constants=view.constants),
        view.profile,
        correct_stages(view.profile),
        {},  # faults of tables act in operators that are nothing but a table
        view.rules_off,
        OPERATORS,
    )
    names = [each for each in node.inputs[1:] if each and view.constant(each) is None]
    if names:
        return Refusal("G1", f"{names[0]!r} of {node.id} is computed, not constant")
    built = OPERATORS[node.op].build(node, setting)
    p = built.parameters if isinstance(built, Kernel) else None
    if not isinstance(p, TableParameters):
        return Refusal("G1", f"{node.id} tells the type of its codes only in a run")
    if p.spread:
        return Refusal(
            "G2", f"{node.id} has parameters {p.spread}, the kernel takes one table"
        )
    if p.x_dtype != p.y_dtype or view.code_dtype(conv.outputs[0]) != p.x_dtype:
        return Refusal("G4", f"{node.id} turns {p.x_dtype} codes into {p.y_dtype} ones")
    rules = view.profile.elementwise
    rule, tail = table_rules(rules, p)
    if tail is not None:
        return Refusal(
            "G16",
            f"profile {view.profile.name} computes the last of {rules.block} elements otherwise",
        )
    with np.errstate(all="ignore"):
        table = fill_table(p, rule, setting)
    functions = "+".join(each.op for each in p.chain.nodes)
    return {"table": table, "table_zero_point": p.y_zero_point, "table_of": functions}


RULE = Rule(
    "R03",
    "convolution with a table",
    "X0",
    ("QLinearTable", "QLinearSigmoid", "QLinearLeakyRelu"),
    match,
)
