"""What every fusion rule works with: the graph seen from its edges, and a rule's three answers."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.fusion.ordering import in_order
from engine.fusion.own_types import MOVES, Y_ZERO_POINT, own_dtype
from engine.ir import Array, Graph, Node
from engine.kernels.quantize_codes import OTHER_SIGN
from engine.profiles import PROFILES, Profile


@dataclass(frozen=True, slots=True)
class Replacement:
    """A rule's yes: ``added`` computes what ``covered`` did.

    ``covered`` lists every node of the pattern. Those whose outputs ``added`` computes go; so does
    whatever nobody reads afterwards (R46, R47). ``added`` may lie in any order; a node of it without
    an origin stands for all of ``covered``. ``constants`` are new initializers.
    """

    covered: tuple[Node, ...]
    added: tuple[Node, ...]
    constants: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule's no: the guard that stopped it, and why, with both values.

    The guard ``"pattern"`` is for what only resembles the rule's pattern.
    """

    guard: str
    reason: str


@dataclass(frozen=True, slots=True)
class Removed:
    """The guards that would have stopped a rule, had a fault not removed them, and where."""

    guards: tuple[str, ...]
    nodes: tuple[str, ...]


Answer = Replacement | Refusal | None
"""None: the nodes do not look like the rule's pattern at all."""


class View:
    """The graph of the moment, indexed by its edges; only ``apply`` changes it."""

    def __init__(
        self,
        graph: Graph,
        rules_off: Collection[str],
        guards_off: Collection[str],
        profile: Profile = PROFILES["spec"],
        replaced: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
    ) -> None:
        self.graph = graph
        self.changed = False
        self.removed: list[Removed] = []
        self._rule = ""
        self._waived: list[str] = []
        self.constants: dict[str, Array] = dict(graph.constants)
        self.rules_off = rules_off
        self.guards_off = guards_off
        self.profile = profile
        self.replaced = replaced
        self.nodes: dict[str, Node] = {}
        self._producers: dict[str, str] = {}
        self._users: dict[str, list[str]] = {}
        self._outputs = frozenset(graph.outputs)
        self._places: dict[str, int] = {}
        for place, node in enumerate(graph.nodes):
            self._insert(node, place)

    def producer(self, name: str, *ops: str) -> Node | None:
        """The node that computes a tensor, if one of kind ``ops`` (or any, without) does."""
        key = self._producers.get(name)
        if key is None:
            return None
        node = self.nodes[key]
        return node if not ops or node.op in ops else None

    def users(self, name: str) -> tuple[Node, ...]:
        """The nodes that read a tensor, one for each edge."""
        return tuple(self.nodes[key] for key in self._users.get(name, ()))

    def only_user(self, name: str, *ops: str) -> Node | None:
        """The one node that needs a tensor, if it is of kind ``ops`` and there are no others."""
        keys = self._users.get(name, ())
        if len(keys) != 1 or name in self._outputs:
            return None
        node = self.nodes[keys[0]]
        return node if not ops or node.op in ops else None

    def constant(self, name: str) -> Array | None:
        """The array behind a name, None where it is absent or computed."""
        return self.constants.get(name)

    def is_output(self, name: str) -> bool:
        """Whether a tensor is an output of the graph."""
        return name in self._outputs

    def why_shared(self, name: str) -> str:
        """Who else needs a tensor besides one consumer, in words; ``""`` where nobody does."""
        if name in self._outputs:
            return f"{name!r} is a graph output"
        users = self.users(name)
        if len(users) > 1:
            return (
                f"{name!r} has {len(users)} consumers: {', '.join(each.id for each in users)}"
            )
        return ""

    def refuse(self, guard: str, reason: str, detail: str = "") -> Refusal | None:
        """A rule's no, or None where a fault removed the guard.

        A fault names a guard of every rule (``G5``) or of one (``R40.G5``), or with ``detail`` one
        of several things that a guard asks for (``G5/scale``, ``R40.G5/scale``).
        """
        if not self.guards_off:
            return Refusal(guard, reason)
        names = [guard, f"{guard}/{detail}"] if detail else [guard]
        names += [f"{self._rule}.{each}" for each in names]
        waived = [each for each in names if each in self.guards_off]
        self._waived += waived
        return None if waived else Refusal(guard, reason)

    def by_stage(self, name: str, correct: Callable[..., Any], *arguments: Any) -> Any:
        """``correct(*arguments)``, or what a fault put in its place; the plan says where that differs."""
        expected = correct(*arguments)
        if name not in self.replaced:
            return expected
        found = self.replaced[name](*arguments)
        same = np.array_equal(found, expected)
        if not same or np.asarray(found).dtype != np.asarray(expected).dtype:
            self._waived.append(name)
        return found

    def excuse_where(self, is_harmless: Callable[[], bool]) -> None:
        """Forgets the guards that were removed on the way here, if the values stay right."""
        if self._waived and is_harmless():
            self._waived = []

    def begin(self, rule: str) -> None:
        """From here on the guards of this rule are asked."""
        self._rule = rule
        self._waived = []

    def new_name(self, base: str) -> str:
        """A tensor name that the graph does not have."""
        name = f"{base}__codes"
        while name in self._producers or name in self.constants:
            name += "_"
        return name

    def code_dtype(self, name: str) -> np.dtype[Any] | None:
        """The type of a tensor of codes, where the graph fixes it."""
        node = self.producer(name)
        while node is not None and node.op in MOVES:
            name = node.inputs[0]
            node = self.producer(name)
        constant = self.constants.get(name)
        if constant is not None:
            return constant.dtype
        if node is None:
            return next((each.dtype for each in self.graph.inputs if each.name == name), None)
        if node.op in Y_ZERO_POINT:
            return self.code_dtype(node.input(Y_ZERO_POINT[node.op]))
        if node.op == "QuantizeLinear" and node.input(2):
            return self.code_dtype(node.input(2))
        if node.op == "FlipSign":
            source = self.code_dtype(node.inputs[0])
            return None if source is None else OTHER_SIGN.get(source)
        return own_dtype(node)

    def apply(self, rule: str, replacement: Replacement) -> None:
        """Puts the new nodes in the place of the old ones, with where they come from."""
        covered = replacement.covered
        origin = tuple(dict.fromkeys(each for node in covered for each in node.sources))
        if self._waived:
            self.removed.append(Removed(tuple(self._waived), origin))
        rules = dict.fromkeys((*(each for node in covered for each in node.rules), rule))
        rules.pop("R46", None)
        place = max(self._places[node.key] for node in covered)
        made = {name for node in replacement.added for name in node.outputs}
        made.update(replacement.constants)
        for node in covered:
            if made.intersection(node.outputs):
                self._remove(node)
                self._mark_readers(node, replacement.constants, rule)
        self.constants.update(replacement.constants)
        self.changed = True
        for node in replacement.added:
            self._insert(_made_by(node, node.origin or origin, tuple(rules)), place)
        for node in reversed(covered):
            self._settle(node)
            if self.replaced and node.key in self.nodes and node.key not in made:
                self._replace_shared(self.nodes[node.key], replacement, rule)

    def _replace_shared(self, node: Node, replacement: Replacement, rule: str) -> None:
        """What others read of a node that was fused stays; a fault may give them something else."""
        others: tuple[Node, ...] = self.by_stage(
            "rewrite.shared", nothing_else, self, node, replacement
        )
        if not others:
            return
        self.removed.append(Removed(("rewrite.shared",), node.sources))
        rules = tuple(dict.fromkeys((*node.rules, rule)))
        self._remove(node)
        for each in others:
            self._insert(_made_by(each, node.sources, rules), self._places[node.key])
        for name in node.inputs:
            before = self.producer(name)
            if before is not None and not self._users.get(name):
                self._settle(before)

    def ordered(self) -> tuple[Node, ...]:
        """The nodes of the moment in execution order, near to where they came from."""
        return in_order(sorted(self.nodes.values(), key=lambda each: self._places[each.key]))

    def _mark_readers(self, node: Node, constants: Collection[str], rule: str) -> None:
        """Who reads a tensor that became a constant stands for the node that made it, too."""
        for name in set(constants).intersection(node.outputs):
            for user in self.users(name):
                origin = tuple(dict.fromkeys((*node.sources, *user.sources)))
                rules = tuple(dict.fromkeys((*node.rules, *user.rules, rule)))
                self.nodes[user.key] = _made_by(user, origin, rules)

    def _settle(self, node: Node) -> None:
        """R47: what nobody reads goes; R46: a DequantizeLinear that others read stays."""
        if self.nodes.get(node.key) is not node:
            return
        if any(self._users.get(name) or name in self._outputs for name in node.outputs):
            if node.op == "DequantizeLinear" and "R46" not in node.rules:
                self.nodes[node.key] = _made_by(node, node.sources, (*node.rules, "R46"))
            return
        self._remove(node)
        for name in node.inputs:
            before = self.producer(name)
            if before is not None and not self._users.get(name):
                self._settle(before)

    def _insert(self, node: Node, place: int) -> None:
        key, users, producers = node.key, self._users, self._producers
        self.nodes[key] = node
        self._places[key] = place
        for name in node.inputs:
            if name in users:
                users[name].append(key)
            elif name:
                users[name] = [key]
        for name in node.outputs:
            if name:
                producers[name] = key

    def _remove(self, node: Node) -> None:
        key = node.key
        del self.nodes[key]
        for name in node.inputs:
            if name:
                self._users[name].remove(key)
        for name in node.outputs:
            self._producers.pop(name, None)


def nothing_else(view: View, node: Node, replacement: Replacement) -> tuple[Node, ...]:
    """The nodes that compute, for its other readers, the output of a node that was fused; () keeps it."""
    return ()


def _made_by(node: Node, origin: tuple[str, ...], rules: tuple[str, ...]) -> Node:
    return Node(node.id, node.op, node.inputs, node.outputs, node.attributes, origin, rules)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite, tried at every node whose operator is among ``anchors``.

    ``exactness``: X0 keeps every bit; X1 the same real function in another order of float
    operations; X2 differs, bounded; X3 is another function. ``opt_in`` rules (X2 and X3) run only
    where a session asks for them. A rule marked ``last`` waits until no other fits.
    """

    id: str
    title: str
    exactness: str
    anchors: tuple[str, ...]
    match: Callable[[View, Node], Answer]
    opt_in: bool = False
    last: bool = False
