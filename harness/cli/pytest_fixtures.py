"""What stands behind the fixtures: what a test wants, a check of one case, a run of many."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import onnx
import pytest

from corpus.case import Array, Case
from corpus.load import (
    InputError,
    input_of,
    load_model,
    random_inputs,
    read_model,
    require_fit,
)
from harness.backends.spec import parse
from harness.cli.pytest_bench import Backend, Numbered, PytestBench, name_of
from harness.errors import BadInput, DivergenceError
from harness.events import FindingSaved
from harness.pytest_findings import Claims
from harness.pytest_hypothesis import is_trying
from harness.pytest_plugin import BENCH, FAMILIES, NO_BACKEND, RUNNING, SCALES, run_of
from reports.console import finding_block

Model: TypeAlias = Case | onnx.ModelProto | bytes | str | os.PathLike[str]
GIVEN = Path("the model given")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line and a test's markers say, the marker nearest to the test last."""

    backends: tuple[str, ...]
    family: str
    scales: str
    cases: int
    seed: int

    @classmethod
    def of(cls, config: pytest.Config, item: pytest.Item | None = None) -> "Wanted":
        """What holds for a test.

        Raises:
            BadInput: a marker says what cannot be.
        """
        option = config.getoption
        names = [each.name for each in fields(cls) if each.name != "backends"]
        wanted = cls(
            backends=tuple(option("--quantdiff-backend")),
            **{name: option(f"--quantdiff-{name}") for name in names},
        )
        markers = [] if item is None else list(item.iter_markers("quantdiff"))
        for each in reversed(markers):
            wanted = wanted.but(*each.args, **each.kwargs)
        return wanted

    def but(
        self,
        *nameless: object,
        backend: Backend | Sequence[Backend] | None = None,
        **said: Any,
    ) -> "Wanted":
        """The same with what is said here instead.

        Raises:
            BadInput: it cannot be.
        """
        said = {name: value for name, value in said.items() if value is not None}
        known = {"family": FAMILIES, "scales": SCALES}
        for name, value in said.items():
            if value not in known.get(name, (value,)):
                raise BadInput(f"{name} {value!r} is none of {', '.join(known[name])}")
            least = {"cases": 1, "seed": 0}.get(name)
            if least is not None and not (isinstance(value, int) and value >= least):
                raise BadInput(f"{name} {value!r} is no integer of at least {least}")
        unknown = {*said} - {"family", "scales", "cases", "seed"}
        if nameless or unknown:
            wrong = ", ".join([*map(repr, nameless), *sorted(unknown)])
            raise BadInput(
                f"quantdiff does not take {wrong}; it takes backend=, family=, cases=, scales=, seed="
            )
        names = self.backends if backend is None else names_of(backend)
        return replace(self, backends=names, **said)


def names_of(backends: Backend | Sequence[Backend]) -> tuple[str, ...]:
    """The names of one backend or several."""
    if isinstance(backends, str) or callable(backends):
        return (name_of(backends),)
    return tuple(name_of(each) for each in backends)


def require_known(names: Sequence[str]) -> None:
    """Refuse a name that no backend can have, before any test runs.

    Raises:
        pytest.UsageError: there is one.
    """
    try:
        for name in names:
            parse(name)
    except BadInput as error:
        raise pytest.UsageError(f"--quantdiff-backend: {error}") from None


def bench_of(config: pytest.Config) -> PytestBench:
    """The bench of this process; made when the first test needs it."""
    if BENCH not in config.stash:
        shown = config.getoption("--quantdiff-out")
        claims = claims_of(config)
        config.stash[BENCH] = PytestBench(
            claims, shown, config.getoption("--quantdiff-timeout")
        )
    return config.stash[BENCH]


def claims_of(config: pytest.Config) -> Claims:
    """Who writes which finding, among the processes of this run."""
    out = Path(config.invocation_params.dir, config.getoption("--quantdiff-out"))
    return Claims(out, run_of(config))


class Check:
    """The fixture ``quantdiff_check``."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __call__(
        self,
        model: Model,
        inputs: Mapping[str, Array] | None = None,
        *,
        backend: Backend | Sequence[Backend] | None = None,
    ) -> None:
        """Run a case, or a model on inputs; those not given are drawn from the seed.

        Raises:
            DivergenceError: a backend is wrong; the findings, in words.
            BadInput: there is no backend, or it cannot be used, or the case cannot be judged.
        """
        __tracebackhide__ = True  # a failing test shows its own lines
        try:
            said = self._said(model, inputs, backend)
        except BadInput as error:
            raise BadInput(str(error)) from None
        if said:
            raise DivergenceError(said)

    def _said(
        self,
        model: Model,
        inputs: Mapping[str, Array] | None,
        backend: Backend | Sequence[Backend] | None,
    ) -> str:
        item = self._config.stash.get(RUNNING, None)
        wanted = Wanted.of(self._config, item).but(backend=backend)
        case, backends = case_of(model, inputs, wanted.seed), backends_of(wanted)
        bench = bench_of(self._config)
        wrong = [each for each in backends if bench.is_wrong(case, each)]
        if wrong and is_trying():  # Hypothesis tries more, and tells of the last alone
            return f"{', '.join(wrong)}: wrong on case {case.digest[:8]}"
        found = [saved for each in wrong for saved in bench.explain(case, each)]
        record(item, bench, found)
        return bench.words(found) if wrong else ""


class Fuzz:
    """The fixture ``quantdiff_fuzz``."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __call__(
        self,
        *,
        backend: Backend | Sequence[Backend] | None = None,
        family: str | None = None,
        cases: int | None = None,
        scales: str | None = None,
        seed: int | None = None,
    ) -> None:
        """Judge cases on each backend; what is not said here is what `Wanted` has.

        Raises:
            DivergenceError: something is wrong; the findings, in words.
            BadInput: there is no backend, or it cannot be used.
        """
        __tracebackhide__ = True
        item = self._config.stash.get(RUNNING, None)
        try:
            wanted = Wanted.of(self._config, item).but(
                backend=backend, family=family, cases=cases, scales=scales, seed=seed
            )
            bench, numbers = bench_of(self._config), range(wanted.cases)
            said = fuzz(bench, backends_of(wanted), wanted, numbers, item)
        except BadInput as error:
            raise BadInput(str(error)) from None
        if said:
            raise DivergenceError(said)


def fuzz(
    bench: PytestBench,
    backends: Sequence[str],
    wanted: Wanted,
    numbers: range,
    item: pytest.Item | None,
) -> str:
    """Judge the cases of some numbers; the findings, in words.

    Raises:
        BadInput: a backend cannot be used here.
    """
    plan = Numbered(
        wanted.seed, wanted.family, wanted.scales, "", cases=len(numbers), first=numbers.start
    )
    found = [saved for each in backends for saved in bench.findings(each, plan)]
    record(item, bench, found)
    return bench.words(found) if found else ""


def backends_of(wanted: Wanted) -> tuple[str, ...]:
    """Those that a test runs on.

    Raises:
        BadInput: there are none.
    """
    if not wanted.backends:
        raise BadInput(NO_BACKEND)
    return wanted.backends


def case_of(model: Model, inputs: Mapping[str, Array] | None, seed: int) -> Case:
    """A case of what a test has; inputs not given are drawn from ``seed``.

    Raises:
        BadInput: it is no model, or the inputs do not fit it.
    """
    if isinstance(model, Case):
        return model if inputs is None else model.with_inputs(inputs)
    try:
        if isinstance(model, onnx.ModelProto):
            model = model.SerializeToString()
        proto = (
            read_model(model, GIVEN) if isinstance(model, bytes) else load_model(Path(model))
        )
        for name, array in (inputs or {}).items():
            require_fit(array, input_of(proto, name), "the array given")
        drawn = random_inputs(proto, seed, given=inputs or {})
    except InputError as error:
        raise BadInput(str(error)) from None
    return Case(proto.SerializeToString(), {**drawn, **(inputs or {})}, origin="pytest")


def record(
    item: pytest.Item | None, bench: PytestBench, found: Sequence[FindingSaved]
) -> None:
    """Note the findings on the test's report: for JUnit's file, and for the closing summary."""
    if item is None:
        return
    for each in found:
        title = " ".join(finding_block(each, "")[0].plain.split())
        item.user_properties.append(("quantdiff_finding", f"{title}  {bench.folder(each)}"))
