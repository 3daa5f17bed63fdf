"""Keeping a finding: its folder, with a script that was seen to reproduce it in a clean process."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import engine
from corpus import store
from corpus.case import Case
from corpus.finding import Finding
from harness.backends.protocol import Limit
from harness.backends.spec import BackendSpec, parse
from harness.cli.torch_recipe import torch_conv
from harness.events import FindingSaved, finite
from harness.investigate import Dossier, with_command
from harness.partner_folder import FOLDER, contents_of
from harness.partners import Disagreement
from harness.run import Keep
from reports.folder import write_finding
from reports.repro import OutputFiles, PartnerFiles, Recipe, TorchConv, render

FINDINGS = "findings"
FINDING = "finding.json"
REPRODUCED = 1
CLEAN_PROCESS_SECONDS = 60.0
MOST_ALIKE = 10_000  # runs of pytest that write to one folder
START_SECONDS = 5.0  # for the imports of a script that is expected to hang
NOT_REPRODUCED = (
    "repro.py does not show it in a clean process: it may depend on what ran before"
)


def keep_in(out: Path, *, patience: float) -> Keep:
    """What stores a finding in the run folder ``out``, under its id; an older one stays.

    ``patience`` is after how many seconds without an answer an engine hangs.
    """

    def keep(dossier: Dossier) -> FindingSaved:
        name = f"{FINDINGS}/{dossier.finding.id}"
        names = (name, *(f"{name}-{number}" for number in range(2, MOST_ALIKE)))
        free = next(each for each in names if not (out / each).exists())
        return _keep(out, free, dossier, patience)

    return keep


def rewritten_in(out: Path) -> Callable[[FindingSaved], None]:
    """What stores a finding of the run folder ``out`` again where it is, now with its law."""

    def rewrite(saved: FindingSaved) -> None:
        (out / saved.folder / FINDING).write_text(as_json(saved.finding), encoding="utf-8")
        write_finding(saved, out)

    return rewrite


def keep_as(folder: Path, dossier: Dossier, *, patience: float) -> FindingSaved:
    """Store a finding as ``folder`` itself."""
    return _keep(folder, ".", dossier, patience)


def _keep(out: Path, name: str, dossier: Dossier, patience: float) -> FindingSaved:
    folder = out / name
    dossier = with_command(dossier, ["quantdiff", "replay", str(folder)])
    finding, case = dossier.finding, dossier.case
    spec = parse(finding.backend.name)
    files = {
        FINDING: as_json(finding),
        "repro.py": render(finding, _recipe(spec, dossier)),
    }
    inner = {FOLDER: contents_of(dossier.partner)} if dossier.partner else {}
    store.save(folder, case, dossier.arrays, files=files, inner=inner)
    hangs = finding.kind == "timed-out"
    seconds = START_SECONDS + patience if hangs else CLEAN_PROCESS_SECONDS
    if not reproduces(folder, spec, seconds):
        message = "; ".join(each for each in (finding.message, NOT_REPRODUCED) if each)
        dossier = replace(dossier, finding=replace(finding, message=message))
        (folder / FINDING).write_text(as_json(dossier.finding), encoding="utf-8")
    saved = FindingSaved(dossier.finding, dossier.evidence, name)
    write_finding(saved, out)
    return saved


def reproduces(folder: Path, spec: BackendSpec, seconds: float) -> bool:
    """Whether the folder's script shows the finding: its exit status, or the signal it dies of.

    One that has not ended after ``seconds`` hangs, which is what it was to show.
    """
    process = subprocess.Popen(
        [spec.python or sys.executable, "repro.py"],
        cwd=folder,
        env=_clean_environment(spec),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not for it
    )
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # and whatever the engine started
        process.wait()
    return status == REPRODUCED or status < 0


def _clean_environment(spec: BackendSpec) -> dict[str, str]:
    """Ours without Python's settings; what a plug-in or our engine is imported from stays."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    if ":" in spec.name:
        environment["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), *_place_of(spec.name)])
    elif spec.name == "engine":
        environment["PYTHONPATH"] = str(Path(engine.__file__).parents[1])
    return environment


def _place_of(plug_in: str) -> list[str]:
    """The folder that a plug-in's module or package is imported from, where it is no other's."""
    top = plug_in.partition(":")[0].partition(".")[0]
    found = importlib.util.find_spec(top)
    if found is None or found.origin is None:
        return []
    file = Path(found.origin)
    return [str(file.parents[1] if found.submodule_search_locations else file.parent)]


def as_json(finding: Finding) -> str:
    """The text of ``finding.json``."""
    return json.dumps(finite(finding.to_dict()), indent=2) + "\n"


def _recipe(spec: BackendSpec, dossier: Dossier) -> Recipe:
    case = dossier.case
    judged = dossier.arrays.get("allowed_low", {})
    return Recipe(
        name=spec.name,
        inputs={name: store.file_name("input", name) for name in case.inputs},
        outputs={
            name: OutputFiles(
                dtype=dossier.arrays["expected"][name].dtype.name,
                low=store.file_name("allowed_low", name),
                high=store.file_name("allowed_high", name),
                is_foreign=store.is_foreign(dossier.arrays["expected"][name]),
            )
            for name in judged
        },
        options=dict(spec.options),
        python=spec.python,
        torch=_torch(spec, case),
        partner=_partner_files(dossier.partner),
        names=tuple(each.name for each in case.proto().graph.output),
        foreign={
            name: each.dtype.name
            for name, each in case.inputs.items()
            if store.is_foreign(each)
        },
    )


def _torch(spec: BackendSpec, case: Case) -> TorchConv | None:
    """What the script asks torch for; None of other engines, and of a case that torch does not take."""
    engine = spec.name.removeprefix("torch-")
    if engine == spec.name:
        return None
    try:
        return torch_conv(engine, case)
    except Limit:
        return None


def _partner_files(found: Disagreement | None) -> PartnerFiles | None:
    if found is None:
        return None
    inputs = {
        name: f"{FOLDER}/{store.file_name('input', name)}"
        for name in found.pair.partner.inputs
    }
    places = {
        name: (each.axis, each.indices, each.axes) for name, each in found.pair.places.items()
    }
    return PartnerFiles(found.pair.name, f"{FOLDER}/model.onnx", inputs, places, found.margin)
