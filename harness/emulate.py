"""Our engine as an emulator: what a case would give in another's arithmetic, with a fault or without."""

from functools import cached_property

from corpus.case import Array, Case
from engine import EngineError, Plan, Session, load
from engine.faults import Fault
from engine.ir import Graph
from generators.partners.forms import spelled_out


class Emulator:
    """One case in one profile, with one fault or another; its model is read once.

    A backend may compute one by one what our engine fuses: a fault of kernels that the fused
    kernel has no part for is emulated without fusion, with QLinear operators spelled out.
    """

    def __init__(self, case: Case, profile: str) -> None:
        self.case = case
        self.profile = profile
        self._acting: dict[tuple[str, bool], bool] = {}

    @cached_property
    def correct(self) -> dict[str, Array]:
        """The outputs without any fault; empty where our engine cannot run the case."""
        return self.outputs(None)

    def correct_beside(self, fault: Fault) -> dict[str, Array]:
        """The outputs without the fault, of the graph that is run with it: fused or not."""
        return self._correct_apart if self.acts_apart(fault) else self.correct

    def outputs(self, fault: Fault | None) -> dict[str, Array]:
        """The outputs with a fault; empty where our engine cannot run the case."""
        try:
            return self._run(self.session(fault))
        except EngineError:
            return {}

    @cached_property
    def _correct_apart(self) -> dict[str, Array]:
        try:
            return self._run(self._open((), fused=False))
        except EngineError:
            return {}

    def _run(self, session: Session | None) -> dict[str, Array]:
        return {} if session is None else session.run(self.case.inputs)

    def acts(self, fault: Fault) -> bool:
        """Whether some operation triggers the fault, fused or not; of two, each of them."""
        if fault.parts:
            return all(self.acts_fused(each) for each in fault.parts)
        return self.acts_fused(fault) or self.acts_apart(fault)

    def acts_fused(self, fault: Fault) -> bool:
        """Whether some operation triggers the fault, as it is fused with it."""
        if fault.parts:
            return all(self.acts_fused(each) for each in fault.parts)
        return self._is_placed(fault, True)

    def acts_apart(self, fault: Fault) -> bool:
        """Whether the fault acts only where nothing is fused."""
        if fault.parts or fault.acts_on_rules or self.acts_fused(fault):
            return False
        return self._is_placed(fault, False)

    def places(self, fault: Fault) -> tuple[str, ...]:
        """The source nodes in which the fault can show, as they are fused with it."""
        return self._places(fault, True)

    def session(self, fault: Fault | None) -> Session | None:
        """A session of the case; None where its model cannot be read.

        Raises:
            EngineError: it can be read, but not run.
        """
        if self._graph is None:
            return None
        faults = (fault.key,) if fault else ()
        fused = fault is None or not self.acts_apart(fault)
        return self._open(faults, fused)

    def _is_placed(self, fault: Fault, fused: bool) -> bool:
        key = fault.key, fused
        if key not in self._acting:
            self._acting[key] = bool(self._places(fault, fused))
        return self._acting[key]

    def _places(self, fault: Fault, fused: bool) -> tuple[str, ...]:
        if fault.acts_on_rules:
            plan = self._plan_of((fault.key,), fused)
        else:
            plan = self._correct_plan if fused else self._plan_apart
        return () if plan is None else fault.places(plan)

    def _open(self, faults: tuple[str, ...], fused: bool) -> Session | None:
        graph = self._graph if fused else self._graph_apart
        if graph is None:
            return None
        fusion = "on" if fused else "off"
        return Session(graph, profile=self.profile, fusion=fusion, faults=faults)

    def _plan_of(self, faults: tuple[str, ...], fused: bool) -> Plan | None:
        try:
            session = self._open(faults, fused)
        except EngineError:
            return None
        return session.plan() if session else None

    @cached_property
    def _correct_plan(self) -> Plan | None:
        return self._plan_of((), True)

    @cached_property
    def _plan_apart(self) -> Plan | None:
        return self._plan_of((), False)

    @cached_property
    def _graph(self) -> Graph | None:
        return _loaded(self.case)

    @cached_property
    def _graph_apart(self) -> Graph | None:
        return None if self._graph is None else _loaded(spelled_out(self.case))


def _loaded(case: Case) -> Graph | None:
    try:
        return load(case.model)
    except EngineError:
        return None
