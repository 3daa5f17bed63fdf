"""What a campaign is to do, as plain data that any process can be handed."""

from dataclasses import dataclass, field, replace

from corpus.case import Case
from generators.choices import RandomChoices
from generators.graphs import all_cells, draw_case
from generators.illegal import ALL_CELLS as ILLEGAL_CELLS
from generators.illegal import draw_illegal
from generators.like import cells_of, like_case
from generators.partners import partner_cells, partner_of
from harness.backends.conversation import MEMORY
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, set_up, with_variants

TIMEOUT = 10.0
ILLEGAL_EVERY = 100
PARTNERS_ONE_IN = 32
_APART = 1 << 64  # whether a case gives way to a partner is not drawn from its own seed


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign is to do; it ends after ``cases`` or ``seconds``, whichever comes first.

    ``backends`` are the names as given, ``timeout`` the seconds for one answer and ``memory`` the
    bytes for one worker, with which other processes make a bench of their own. With ``parts`` of
    a user's model (see `generators.like`) every case is like one of them.
    """

    seed: int
    family: str
    scales: str
    out: str
    cases: int | None = None
    seconds: float | None = None
    backends: tuple[str, ...] = ()
    timeout: float = TIMEOUT
    memory: int = MEMORY
    parts: tuple[bytes, ...] = field(default=(), repr=False)

    def case(self, number: int) -> Case:
        """The case of that number: it depends on the plan and the number alone.

        Of all families, one case in a hundred is a model that the standard does not allow; of the
        others, one in 32 gives way to a partner of it, where there is one.
        """
        seed = (self.seed << 32) + number
        if self.parts:
            case = like_case(self.parts, self.scales, seed)
            return replace(_or_partner(case, seed), cells=case.cells)  # of the same pattern
        if self.family == "all" and number % ILLEGAL_EVERY == ILLEGAL_EVERY - 1:
            return draw_illegal(self.scales, seed)
        return _or_partner(draw_case(self.family, self.scales, seed), seed)

    def cells(self) -> tuple[str, ...]:
        """The cells that its cases can reach."""
        if self.parts:
            return cells_of(self.parts)
        illegal = ILLEGAL_CELLS if self.family == "all" else ()
        return (*all_cells(self.family), *partner_cells(self.family), *illegal)

    def open_bench(self, *, busy: int = 1) -> Bench:
        """A bench with workers of its own, no more than ``busy`` of them at work at once.

        Raises:
            BadInput: a backend cannot be used here.
        """
        pool = Pool(self.timeout, memory=self.memory, busy=busy)
        try:
            return set_up(pool, with_variants([parse(name) for name in self.backends]))
        except BaseException:
            pool.close()
            raise


def _or_partner(case: Case, seed: int) -> Case:
    """The case or, drawn, a partner of it."""
    choices = RandomChoices(seed + _APART)
    pair = partner_of(case, choices) if choices.flag(PARTNERS_ONE_IN) else None
    return pair.partner if pair else case
