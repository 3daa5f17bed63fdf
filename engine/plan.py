"""The plan: what runs as one, and why the rest stayed float."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from engine.fusion.match import Removed, View
from engine.fusion.rewrite import RULES, Refused, Rewrite
from engine.ir import Graph, Node
from engine.program import Step

_EDGES = ("QuantizeLinear", "DequantizeLinear")
_FLOATS = ("float32", "float16", "bfloat16", "float64")
_FAR = 4


@dataclass(frozen=True, slots=True)
class Kept:
    """A node that runs in float although there are rules for its kind, and the guard that says so.

    ``guard`` is ``"pattern"`` where no rule is for such nodes, ``"off"`` where one is switched off.
    """

    node: str
    op: str
    rule: str
    guard: str
    reason: str

    def __str__(self) -> str:
        return f"{self.op} {self.node} stays float: {self.reason} [{self.rule} {self.guard}]"


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in the order they run, what was kept, and where faults removed a guard."""

    steps: tuple[Step, ...]
    kept: tuple[Kept, ...]
    removed: tuple[Removed, ...] = ()

    @property
    def rules(self) -> Mapping[str, tuple[Step, ...]]:
        """The steps that each rule had a part in, by its id."""
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            for rule in filter(None, step.rule.split("+")):
                found.setdefault(rule, []).append(step)
        return {rule: tuple(found[rule]) for rule in sorted(found)}

    def __str__(self) -> str:
        return "\n".join([*map(str, self.steps), *map(str, self.kept)])


def kept_nodes(rewrite: Rewrite) -> tuple[Kept, ...]:
    """Why each Q, each D and each operator that some rule is for was left in float."""
    kept = []
    for node in rewrite.graph.nodes:
        if node.op in _EDGES or (node.op in anchors() and _is_float(rewrite.view, node)):
            kept.append(_explain(rewrite, node))
        kept += _in_branches(node)
    return tuple(kept)


@cache
def anchors() -> Mapping[str, str]:
    """Operators that rules start from, Q and D apart, and the first rule by id for each."""
    rules = sorted(RULES, key=lambda each: (each.opt_in, each.id), reverse=True)
    return {op: rule.id for rule in rules for op in rule.anchors if op not in _EDGES}


def _is_float(view: View, node: Node) -> bool:
    """Whether it works on reals: an operator that moves codes is where it should be."""
    if node.rules:
        return False
    source = next((name for name in node.inputs if name), "")
    return str(view.code_dtype(source)) in _FLOATS


def _in_branches(node: Node) -> Iterator[Kept]:
    """G13: what lies in a branch of an If; the graph of a node that a rule made is fused."""
    for name, graph in node.attributes.items():
        if isinstance(graph, Graph) and not node.rules:
            for each in graph.nodes:
                if each.op in _EDGES or each.op in anchors():
                    rule = anchors().get(each.op, "R01")
                    reason = f"it lies in {name} of {node.op} {node.id}, where no rule acts"
                    yield Kept(each.id, each.op, rule, "G13", reason)
                yield from _in_branches(each)


def _explain(rewrite: Rewrite, node: Node) -> Kept:
    for found in _near(rewrite, node):
        return Kept(node.id, node.op, found.rule, found.refusal.guard, found.refusal.reason)
    rule, reason = _why_alone(rewrite.view, node)
    return Kept(node.id, node.op, rule, "pattern", reason)


def _near(rewrite: Rewrite, node: Node) -> Iterator[Refused]:
    """What stopped the rules at a node, at those that feed a Q, at those that a D feeds."""
    if node.op == "QuantizeLinear":
        yield from _before(rewrite, node)
    if node.key in rewrite.refused:
        yield rewrite.refused[node.key]
    if node.op != "QuantizeLinear":
        yield from _behind(rewrite, node, _FAR if node.op == "DequantizeLinear" else 1)


def _before(rewrite: Rewrite, node: Node) -> Iterator[Refused]:
    """The refusals up the chain of first inputs, as far as the next DequantizeLinear."""
    for _ in range(_FAR):
        before = rewrite.view.producer(node.inputs[0])
        if before is None or before.op in _EDGES:
            return
        if before.key in rewrite.refused:
            yield rewrite.refused[before.key]
        node = before


def _behind(rewrite: Rewrite, node: Node, far: int) -> Iterator[Refused]:
    """The refusals down all ways, as far as the next QuantizeLinear, the nearest first."""
    users = [user for name in node.outputs for user in rewrite.view.users(name)]
    for user in users:
        if user.key in rewrite.refused:
            yield rewrite.refused[user.key]
    for user in users if far > 1 else ():
        if user.op not in _EDGES:
            yield from _behind(rewrite, user, far - 1)


def _why_alone(view: View, node: Node) -> tuple[str, str]:
    """The nearest rule, and what there would have to be for it."""
    name = node.key
    if node.op == "QuantizeLinear":
        source = view.producer(node.inputs[0])
        made = f"{source.op} {source.id}" if source else "a graph input or constant"
        rule = anchors().get(source.op, "R01") if source else "R01"
        return rule, f"its input {node.inputs[0]!r} comes from {made}, which no rule fuses"
    users = view.users(name)
    goes = f"goes to {', '.join(f'{each.op} {each.id}' for each in users)}"
    if view.is_output(name) or not users:
        goes = "is a graph output" if view.is_output(name) else "is read by nobody"
    if node.op != "DequantizeLinear":
        return anchors()[node.op], f"its output {name!r} {goes}; no QuantizeLinear follows"
    taken = " or ".join(dict.fromkeys(each.op for each in users)) or "a graph output"
    rule = next((anchors()[each.op] for each in users if each.op in anchors()), "R01")
    return rule, f"its output {name!r} {goes}; no rule takes DequantizeLinear -> {taken} here"
