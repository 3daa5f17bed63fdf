"""Our engine as an emulator: what a case would give in another's arithmetic, with a fault or without."""

from collections.abc import Collection

from corpus.case import Array, Case, node_id
from engine import EngineError, Plan, Session, load
from engine.errors import Unanswered
from engine.faults import Fault, find
from engine.fusion.rewrite import RULE_IDS
from engine.ir import Graph
from generators.partners.forms import spelled_out, whole_of
from generators.partners.integers import in_integers

FUSED, APART, INTEGERS = "fused", "apart", "integers"
WAYS: tuple[str, ...] = (FUSED, APART, INTEGERS)
"""As our engine fuses a case; its operators one by one; the same with sums of products on integers."""
RULE, RULE_APART = "rule", "rule apart"
"""By the rules of the fault alone, where others of our engine come before them; with QLinear operators spelled out."""
DOUBLE_PAIRS = "R42"
_READ = {RULE: FUSED, RULE_APART: APART}
"""The ways that read the model as another one does."""


class Emulator:
    """One case in one profile, with one fault or another; its model is read once.

    A backend may compute one by one what our engine fuses: a fault of kernels that the fused
    kernel has no part for is emulated without fusion, with QLinear operators spelled out. What it
    computes on integers our engine may leave on reals: then sums of products are put on integers.
    """

    def __init__(self, case: Case, profile: str) -> None:
        self.case = case
        self.profile = profile
        self._acting: dict[tuple[str, str], bool] = {}
        self._plans: dict[str, Plan | None] = {}
        self._read: dict[str, Graph | None] = {}
        self._is_apart = False  # known with the graph that is
        self._told: dict[str, tuple[str, dict[str, Array]]] = {}
        self._correct: dict[str, dict[str, Array]] = {}

    @property
    def correct(self) -> dict[str, Array]:
        """The outputs without any fault; empty where our engine cannot run the case."""
        return self.outputs(None)

    def correct_beside(self, fault: Fault, way: str = "") -> dict[str, Array]:
        """The outputs without the fault, of the graph that is run with it."""
        way = way or self.ways(fault)[0]
        return self._without(APART if way in _READ else way)

    def outputs(self, fault: Fault | None, way: str = "") -> dict[str, Array]:
        """The outputs with a fault, in the first of its ways or another; empty where our engine cannot run the case."""
        if fault is None:
            return self._without(way or FUSED)
        way = way or self.ways(fault)[0]
        if self._told.get(way, ("",))[0] != fault.key:  # all of them would be too much to keep
            self._told[way] = fault.key, self._computed((fault.key,), way)
        return self._told[way][1]

    def _without(self, way: str) -> dict[str, Array]:
        if way not in self._correct:
            self._correct[way] = self._computed((), way)
        return self._correct[way]

    def _computed(self, faults: tuple[str, ...], way: str) -> dict[str, Array]:
        try:
            session = self._open(faults, way)
            return {} if session is None else session.run(self.case.inputs)
        except EngineError:
            return {}

    def unanswered(self, fault: Fault) -> Unanswered | None:
        """What our engine says where the fault leaves the case without an answer of its shape."""
        if not (fault.breaks and self.acts(fault)):
            return None
        try:
            session = self._open((fault.key,), self.ways(fault)[0])
            if session is not None:
                session.run(self.case.inputs)
        except Unanswered as told:
            return told
        except EngineError:
            return None
        return None

    def acts(self, fault: Fault) -> bool:
        """Whether some operation triggers the fault, fused or not; of two, each of them."""
        if fault.parts:
            return all(self.acts_fused(each) for each in fault.parts)
        return self.acts_fused(fault) or self.acts_apart(fault)

    def acts_fused(self, fault: Fault) -> bool:
        """Whether some operation triggers the fault, as it is fused with it."""
        if fault.parts:
            return all(self.acts_fused(each) for each in fault.parts)
        return self._is_placed(fault, FUSED)

    def acts_apart(self, fault: Fault) -> bool:
        """Whether the fault acts only where our engine fuses nothing."""
        return self.ways(fault)[0] != FUSED

    def places(self, fault: Fault) -> tuple[str, ...]:
        """The source nodes in which the fault can show, as the case is run with it in any way."""
        own = {node_id(each) for each in self.case.proto().graph.node}
        return tuple(
            dict.fromkeys(
                each if each in own else whole_of(each)
                for way in self.ways(fault)
                for each in self._places(fault, way)
            )
        )

    def ways(self, fault: Fault) -> tuple[str, ...]:
        """The ways to run the case in which the fault acts, the likeliest first; fused where it acts in none."""
        if fault.parts:
            return (FUSED,)
        ways = WAYS
        if fault.acts_on_rules:
            ways = (FUSED, *_READ) if _rules_of(fault) else (FUSED,)
        return tuple(each for each in ways if self._is_placed(fault, each)) or (FUSED,)

    def _is_placed(self, fault: Fault, way: str) -> bool:
        key = fault.key, way
        if key not in self._acting:
            self._acting[key] = bool(self._places(fault, way))
        return self._acting[key]

    def _places(self, fault: Fault, way: str) -> tuple[str, ...]:
        plan = self._plan_of((fault.key,), way) if fault.acts_on_rules else self._plan(way)
        return () if plan is None else fault.places(plan)

    def _open(self, faults: tuple[str, ...], way: str) -> Session | None:
        graph = self._graphs(_READ.get(way, way))
        if graph is None or (way == RULE_APART and self._is_apart):
            return None
        fusion: str | Collection[str] = "on" if way == FUSED else "off"
        if way in _READ:
            fusion = RULE_IDS.difference(*(_rules_of(find(key)) for key in faults))
        return Session(graph, profile=self.profile, fusion=fusion, faults=faults)

    def _plan_of(self, faults: tuple[str, ...], way: str) -> Plan | None:
        try:
            session = self._open(faults, way)
        except EngineError:
            return None
        return session.plan() if session else None

    def _plan(self, way: str) -> Plan | None:
        """Without a fault."""
        if way not in self._plans:
            self._plans[way] = self._plan_of((), way)
        return self._plans[way]

    def _graphs(self, way: str) -> Graph | None:
        """The model as it is, spelled out, or that with its sums on integers."""
        if way not in self._read:
            self._read[way] = self._load(way)
        return self._read[way]

    def _load(self, way: str) -> Graph | None:
        if way == FUSED:
            return _loaded(self.case)
        if self._graphs(FUSED) is None:
            return None
        apart = spelled_out(self.case)
        if way == APART:
            self._is_apart = apart is self.case
            return _loaded(apart)
        whole = in_integers(apart)
        return None if whole is apart else _loaded(whole)


def _loaded(case: Case) -> Graph | None:
    try:
        return load(case.model)
    except EngineError:
        return None


def _rules_of(fault: Fault) -> set[str]:
    """The rules whose guards it removes, and the one that has nothing but its stage to do."""
    guarded = {each.split(".")[0] for each in fault.guards_off}
    return guarded | ({DOUBLE_PAIRS} if "rewrite.double_pair" in fault.stages else set())
