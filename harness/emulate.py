"""Our engine as an emulator: what a case would give in another's arithmetic, with a fault or without."""

from functools import cached_property

from corpus.case import Array, Case
from engine import EngineError, Plan, Session, load
from engine.faults import Fault
from engine.ir import Graph


class Emulator:
    """One case in one profile, with one fault or another; its model is read once."""

    def __init__(self, case: Case, profile: str) -> None:
        self.case = case
        self.profile = profile
        self._acting: dict[str, bool] = {}

    @cached_property
    def correct(self) -> dict[str, Array]:
        """The outputs without any fault; empty where our engine cannot run the case."""
        return self.outputs(None)

    def outputs(self, fault: Fault | None) -> dict[str, Array]:
        """The outputs with a fault; empty where our engine cannot run the case."""
        try:
            session = self.session(fault)
            return {} if session is None else session.run(self.case.inputs)
        except EngineError:
            return {}

    def acts(self, fault: Fault) -> bool:
        """Whether some operation triggers the fault, as it is fused with it; of two, each of them."""
        if fault.parts:
            return all(self.acts(each) for each in fault.parts)
        if fault.key not in self._acting:
            self._acting[fault.key] = bool(self.places(fault))
        return self._acting[fault.key]

    def places(self, fault: Fault) -> tuple[str, ...]:
        """The source nodes in which the fault can show, as they are fused with it."""
        plan = self._faulty_plan(fault) if fault.acts_on_rules else self._correct_plan
        return () if plan is None else fault.places(plan)

    def session(self, fault: Fault | None) -> Session | None:
        """A session of the case; None where its model cannot be read.

        Raises:
            EngineError: it can be read, but not run.
        """
        if self._graph is None:
            return None
        faults = (fault.key,) if fault else ()
        return Session(self._graph, profile=self.profile, faults=faults)

    def _faulty_plan(self, fault: Fault) -> Plan | None:
        try:
            session = self.session(fault)
        except EngineError:
            return None
        return session.plan() if session else None

    @cached_property
    def _correct_plan(self) -> Plan | None:
        try:
            session = self.session(None)
        except EngineError:
            return None
        return session.plan() if session else None

    @cached_property
    def _graph(self) -> Graph | None:
        try:
            return load(self.case.model)
        except EngineError:
            return None
