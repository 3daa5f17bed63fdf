"""``quantdiff replay``: kept cases once more, on the backends of today."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from corpus import store
from corpus.case import Case
from corpus.known import Known, cpu_features, known_differences
from corpus.load import InputError
from generators.illegal import breach_of
from generators.partners import Pair
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.cli.options import backend_option, json_option, open_bench, timeout_option
from harness.kept import read_kept
from harness.outcome import Refused, Values
from harness.partner_folder import read_pair
from harness.partners import fit
from harness.verdicts import judge_all
from reports.model import LOG_NAME
from reports.text import visible

CORPUS = Path(store.__file__).parent / "cases"


@dataclass(frozen=True, slots=True)
class Kept:
    """A case that was kept: its folder, its title, and the backend it was found on, if any.

    With a ``pair`` its partner was kept, too: where the oracle is silent, the two answers must fit.
    """

    folder: Path
    title: str
    backend: str
    case: Case
    pair: Pair | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """One kept case on one backend: ``wrong`` unless right, refused by its limits, or known."""

    case: str
    backend: str
    version: str
    verdict: str
    known: str
    wrong: bool


@click.command()
@click.argument("folders", metavar="[DIR]...", nargs=-1)
@backend_option()
@json_option()
@timeout_option()
def replay(
    folders: tuple[str, ...], backends: tuple[str, ...], as_json: bool, timeout: float
) -> int:
    """Run findings or the corpus again: DIR is a finding, a run or a corpus [default: the corpus]."""
    kept = [each for name in folders or (str(CORPUS),) for each in _kept(Path(name))]
    named = backends or tuple(dict.fromkeys(each.backend for each in kept if each.backend))
    rows = _rows(kept, named, timeout, everywhere=bool(backends)) if kept else []
    stale = _stale(rows, {each.title for each in kept})
    if as_json:
        document = {
            "schema": 1,
            "replayed": [asdict(each) for each in rows],
            "stale": [asdict(each) for each in stale],
        }
        print(json.dumps(document, indent=2))
    else:
        _show(rows, stale)
    return 1 if stale or any(each.wrong for each in rows) else 0


def _rows(
    kept: Sequence[Kept], backends: Sequence[str], timeout: float, *, everywhere: bool
) -> list[Replayed]:
    """Every case on every backend; a finding, unless ``everywhere``, only on its own."""
    with open_bench(backends, timeout, variants=False) as (bench, _):
        return [
            _replay(bench, spec, each)
            for each in kept
            for spec in bench.specs
            if everywhere or not each.backend or spec.text == each.backend
        ]


def _kept(folder: Path) -> list[Kept]:
    """The cases of a finding's folder, of a run's (which may have found nothing), or of a corpus.

    Raises:
        InputError: there is none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name a finding, a run or a corpus")
    if (folder / "model.onnx").is_file():
        return [_read(folder)]
    places = sorted({*folder.glob("*/model.onnx"), *folder.glob("findings/*/model.onnx")})
    if not places and not (folder / LOG_NAME).is_file():
        raise InputError(f"{folder} holds no model.onnx; name a finding, a run or a corpus")
    return [_read(each.parent) for each in places]


def _read(folder: Path) -> Kept:
    finding, entry = _json(folder / "finding.json"), _json(folder / "case.json")
    case, _ = read_kept(folder, str(finding.get("signature", "")))
    backend = finding.get("backend")
    name = str(backend.get("name", "")) if isinstance(backend, dict) else ""
    title = str(entry.get("title") or finding.get("id") or folder.name)
    return Kept(folder, title, name, case, read_pair(folder, case))


def _json(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    return document if isinstance(document, dict) else {}


def _replay(bench: Bench, spec: BackendSpec, kept: Kept) -> Replayed:
    outcome = bench.run(kept.case, spec)
    verdict = judge_all(kept.case, {spec: outcome}).words.get(spec.text, "silent")
    if kept.pair and isinstance(outcome, Values):
        verdict = fit(kept.pair, spec, outcome, bench.run(kept.pair.partner, spec))
    is_broken = bool(breach_of(kept.case))
    if is_broken and isinstance(outcome, Refused):
        verdict = "refused"
    allowed = isinstance(outcome, Refused) and (outcome.documented or is_broken)
    known = _known_reason(spec.name, kept.title, verdict)
    return Replayed(
        case=kept.title,
        backend=spec.text,
        version=bench.describe(spec).version,
        verdict=verdict,
        known=known,
        wrong=verdict not in ("exact", "tie", "silent") and not allowed and not known,
    )


def _known_reason(backend: str, title: str, verdict: str) -> str:
    for each in _expected(backend):
        if (each.case, each.kind) == (title, verdict):
            return f"{each.reason} ({each.link})"
    return ""


def _expected(backend: str) -> list[Known]:
    cpu = cpu_features()
    return [each for each in known_differences(backend) if each.is_expected_on(cpu)]


def _stale(rows: list[Replayed], titles: set[str]) -> list[Known]:
    """Entries of the ledger that were tried and matched nothing."""
    seen = {(each.backend, each.case, each.verdict) for each in rows}
    return [
        entry
        for backend in {each.backend for each in rows}
        for entry in _expected(backend)
        if entry.case in titles and (backend, entry.case, entry.kind) not in seen
    ]


def _show(rows: list[Replayed], stale: list[Known]) -> None:
    if not rows:
        print("there is nothing to replay: the run found nothing", file=sys.stderr)
    for each in rows:
        mark = "WRONG " if each.wrong else "known " if each.known else "ok    "
        reason = f"  {each.known}" if each.known else ""
        case = visible(each.case)
        print(f"{mark} {case}  {each.backend} {each.version}  {each.verdict}{reason}")
    for entry in stale:
        print(
            f"stale  ledger/{entry.backend}.toml: {entry.case} is no longer {entry.kind}; remove it",
            file=sys.stderr,
        )
