"""Keeping a finding: its folder, with a script that was seen to reproduce it in a clean process."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import engine
from corpus import store
from harness.backends.spec import BackendSpec, parse
from harness.cli.torch_recipe import torch_conv
from harness.events import FindingSaved, finite
from harness.investigate import Dossier, with_command
from harness.run import Keep
from reports.folder import write_finding
from reports.repro import OutputFiles, Recipe, render

FINDINGS = "findings"
REPRODUCED = 1
CLEAN_PROCESS_SECONDS = 60.0
NOT_REPRODUCED = (
    "repro.py does not show it in a clean process: it may depend on what ran before"
)


def keep_in(out: Path) -> Keep:
    """What stores a finding in the run folder ``out``, under its id."""

    def keep(dossier: Dossier) -> FindingSaved:
        name = f"{FINDINGS}/{dossier.finding.id}"
        return _keep(out, name, dossier)

    return keep


def keep_as(folder: Path, dossier: Dossier) -> FindingSaved:
    """Store a finding as ``folder`` itself."""
    return _keep(folder, ".", dossier)


def _keep(out: Path, name: str, dossier: Dossier) -> FindingSaved:
    folder = out / name if name != "." else out
    dossier = with_command(dossier, ["quantdiff", "replay", str(folder)])
    finding, case = dossier.finding, dossier.case
    spec = parse(finding.backend.name)
    files = {
        "finding.json": _json(dossier),
        "repro.py": render(finding, _recipe(spec, dossier)),
    }
    store.save(folder, case, dossier.arrays, files=files)
    if not reproduces(folder, spec):
        message = "; ".join(each for each in (finding.message, NOT_REPRODUCED) if each)
        dossier = replace(dossier, finding=replace(finding, message=message))
        (folder / "finding.json").write_text(_json(dossier))
    saved = FindingSaved(dossier.finding, dossier.evidence, name)
    write_finding(saved, out)
    return saved


def reproduces(folder: Path, spec: BackendSpec) -> bool:
    """Whether the folder's script shows the finding: its exit status, or the signal it dies of."""
    try:
        done = subprocess.run(
            [spec.python or sys.executable, "repro.py"],
            cwd=folder,
            env=_clean_environment(spec),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CLEAN_PROCESS_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode == REPRODUCED or done.returncode < 0


def _clean_environment(spec: BackendSpec) -> dict[str, str]:
    """Ours without Python's settings; what a plug-in or our engine is imported from stays."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    if ":" in spec.name:
        environment["PYTHONPATH"] = str(Path.cwd())
    elif spec.name == "engine":
        environment["PYTHONPATH"] = str(Path(engine.__file__).parents[1])
    return environment


def _json(dossier: Dossier) -> str:
    return json.dumps(finite(dossier.finding.to_dict()), indent=2) + "\n"


def _recipe(spec: BackendSpec, dossier: Dossier) -> Recipe:
    case = dossier.case
    judged = dossier.arrays.get("allowed_low", {})
    engine_name = spec.name.removeprefix("torch-")
    return Recipe(
        name=spec.name,
        inputs={name: store.file_name("input", name) for name in case.inputs},
        outputs={
            name: OutputFiles(
                dtype=dossier.arrays["expected"][name].dtype.name,
                low=store.file_name("allowed_low", name),
                high=store.file_name("allowed_high", name),
            )
            for name in judged
        },
        options=dict(spec.options),
        python=spec.python,
        torch=torch_conv(engine_name, case) if engine_name != spec.name else None,
    )
