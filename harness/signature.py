"""What makes two findings the same bug."""

import hashlib
from dataclasses import dataclass

from engine.faults import CATALOGUE
from harness.cause import PASS
from harness.observe import CONVERSIONS
from harness.verdict_class import kind_of_fault, named_kind, told_by
from harness.wording import plain_op

NONDETERMINISTIC = "nondeterministic"
BROKEN = "broken model"  # whatever operators are in it


@dataclass(frozen=True, slots=True)
class Signature:
    """What makes two findings the same bug.

    ``kind`` is that of the verdict: nobody sees that a refusal and wrong values have one root, but
    where a fault foretells both. It tells nothing where chance decides it: of a broken model a limit of ours.
    ``cause`` is the best fault's id; without a diagnosis, the passes whose removal restores the
    answer, else ``unexplained``, or the backend's message without its numbers. A fault or a pass is
    the same bug in whatever operation it shows, also beside another fault; only where neither is
    known do ``fused_as`` and ``op`` tell bugs apart, ``fused_as`` alone where a conversion of the
    engine's own, or a shape, is wrong.
    """

    backend: str
    kind: str
    op: str
    fused_as: str
    cause: str
    place: str = ""

    @property
    def text(self) -> str:
        """One line, the same for the same bug in every run."""
        known, kind = {each.id for each in CATALOGUE}, named_kind(self.kind)
        if self.place == BROKEN:
            return " | ".join((self.backend, BROKEN, self.cause))
        if self.cause.startswith(PASS):
            return " | ".join((self.backend, kind, self.cause))
        if known.issuperset(self.cause.split("+")):
            return " | ".join((self.backend, kind_of_fault(kind), told_by(self.cause)))
        op, fused_as = plain_op(self.op, self.fused_as), self.fused_as
        tells = fused_as in CONVERSIONS or self.kind == "wrong-type-or-shape"
        both = fused_as if tells else f"{fused_as} <- {op}"
        place = self.place or (both if fused_as not in ("", op) else op)
        return " | ".join((self.backend, kind, place, self.cause))

    @property
    def id(self) -> str:
        """Eight hex digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]
