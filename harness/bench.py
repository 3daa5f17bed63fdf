"""The bench: the backends of one run, started once and described once."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import onnx

from corpus.case import Case
from corpus.finding import Engine
from generators.illegal import breach_of
from harness.backends import catalogue
from harness.backends.catalogue import Variant
from harness.backends.description import Description, Unavailable, check_options
from harness.backends.pool import Pool
from harness.backends.spec import BackendSpec
from harness.errors import BadInput
from harness.observe import main_op
from harness.outcome import Crashed, Outcome, Refused, Tapped, TimedOut

Skipped = AbstractSet[tuple[str, str]]  # backend's text and ONNX operator


@dataclass(frozen=True, slots=True)
class Contestant:
    """One backend with its options; ``variant.helps`` says which models it is worth running on."""

    spec: BackendSpec
    variant: Variant


@dataclass(frozen=True, slots=True)
class Bench:
    """A pool of workers, the backends under test, and what each says of itself.

    A model that was broken on purpose can damage the memory of an engine, which then fails on a
    valid one: broken ones run apart.
    """

    pool: Pool
    contestants: tuple[Contestant, ...]
    descriptions: Mapping[tuple[str, str], Description]

    @property
    def specs(self) -> tuple[BackendSpec, ...]:
        """Every backend under test, in the order it was named."""
        return tuple(each.spec for each in self.contestants)

    def run(self, case: Case, spec: BackendSpec) -> Outcome:
        """The outcome of one case on one backend."""
        return self._pool_of(case).run_one(case, spec)

    def run_apart(self, case: Case, spec: BackendSpec, fill: int) -> Outcome:
        """The outcome in a process where no other case left anything, its memory filled (see `FILLS`)."""
        return self.pool.apart.run_one(case, spec, fill)

    def tap(self, case: Case, spec: BackendSpec) -> Tapped | Refused | Crashed | TimedOut:
        """Intermediate tensors and the plan of one case on one backend."""
        return self._pool_of(case).tap(case, spec)

    def _pool_of(self, case: Case) -> Pool:
        return self.pool.apart if breach_of(case) else self.pool

    def run_all(
        self, cases: Sequence[Case], skipped: Skipped = frozenset()
    ) -> list[dict[BackendSpec, Outcome]]:
        """The outcome of every case on every backend that is worth running on it.

        ``skipped`` are backends, by their text, that are not asked about an operator.
        """
        picky = {
            each
            for each in self.contestants
            if each.variant.helps is not catalogue.always
            or any(each.spec.text == text for text, _ in skipped)
        }
        always = [each.spec for each in self.contestants if each not in picky]
        answers: list[dict[BackendSpec, Outcome]] = [{} for _ in cases]
        for pool in (self.pool, self.pool.apart):
            own = [n for n, case in enumerate(cases) if self._pool_of(case) is pool]
            _into(answers, pool, own, cases, always)
            for each in self.contestants:
                if each in picky:
                    chosen = [n for n in own if _takes(each, cases[n], skipped)]
                    _into(answers, pool, chosen, cases, [each.spec])
        return answers

    def describe(self, spec: BackendSpec) -> Description:
        """What the backend behind ``spec`` says of itself; its options do not change it."""
        return self.descriptions[spec.name, spec.python]

    def engine(self, spec: BackendSpec) -> Engine:
        """Name and version, as findings and summaries give them."""
        return Engine(name=spec.text, version=self.describe(spec).version)

    def profile(self, spec: BackendSpec) -> str:
        """The profile of our engine that computes like this backend."""
        return dict(spec.options).get("profile", self.describe(spec).profile)


def _into(
    answers: list[dict[BackendSpec, Outcome]],
    pool: Pool,
    numbers: Sequence[int],
    cases: Sequence[Case],
    specs: Sequence[BackendSpec],
) -> None:
    """Run the cases of these numbers in the pool, and put the outcomes where they belong."""
    if numbers and specs:
        ran = pool.run([cases[number] for number in numbers], specs)
        for number, outcomes in zip(numbers, ran, strict=True):
            answers[number].update({spec: outcomes[spec.text] for spec in specs})


def _takes(contestant: Contestant, case: Case, skipped: Skipped) -> bool:
    model = case.proto()
    is_skipped = skipped and (contestant.spec.text, operator_of(model)) in skipped
    return not is_skipped and contestant.variant.helps(model)


def operator_of(model: onnx.ModelProto) -> str:
    """The ONNX operator that a case is about."""
    nodes = list(model.graph.node)
    return main_op(nodes) if nodes else ""


def with_variants(specs: Sequence[BackendSpec]) -> tuple[Contestant, ...]:
    """What a campaign runs when these are named: a bare name stands for all of its variants."""
    found: dict[BackendSpec, Contestant] = {}
    for spec in specs:
        variants = (
            catalogue.find(spec.name).variants if not spec.options else (catalogue.PLAIN,)
        )
        for variant in variants:
            each = BackendSpec(spec.name, spec.options or variant.options, spec.python)
            found.setdefault(each, Contestant(each, variant))
    return tuple(found.values())


def set_up(pool: Pool, contestants: Sequence[Contestant]) -> Bench:
    """Start every backend.

    Raises:
        BadInput: one of them cannot be used here, or does not take an option.
    """
    descriptions: dict[tuple[str, str], Description] = {}
    pool.start([each.spec for each in contestants])
    for each in contestants:
        description = pool.describe(each.spec)
        if isinstance(description, Unavailable):
            raise BadInput(f"backend {each.spec.text} cannot be used: {description.reason}")
        check_options(each.spec, description)
        descriptions[each.spec.name, each.spec.python] = description
    return Bench(pool, tuple(contestants), descriptions)
