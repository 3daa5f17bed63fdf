"""Environments that have one release of a package: made with venv and pip, kept, used again."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.releases.packages import companions, in_version_order, is_release

PIP_SECONDS = 1800.0  # torch is large, and a line may be slow
ASK_SECONDS = 60.0
TAG = "import sys, sysconfig; print(sys.implementation.cache_tag + '-' + sysconfig.get_platform())"
INSTALLED = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
WHEELS = ("--only-binary", ":all:")  # to build an engine takes hours, and runs its code


@dataclass(frozen=True, slots=True)
class Missing:
    """What cannot be had, and why, in one line."""

    reason: str


class Releases(Protocol):
    """Where releases of one package come from."""

    def versions(self) -> tuple[str, ...] | Missing:
        """All that can be had, oldest first."""

    def python_with(self, version: str) -> str | Missing:
        """An interpreter that has this release, numpy and onnx."""


@dataclass(frozen=True, slots=True)
class Environments:
    """Releases of ``package`` from a package index, in folders below ``folder``.

    An interpreter of ``pythons`` that has the release is used as it is; else an environment is
    made with the first for which there is a wheel. pip takes its settings, such as the index, from
    its own files and variables. ``told`` hears what takes long.
    """

    package: str
    folder: Path
    pythons: tuple[str, ...]
    told: Callable[[str], None] = lambda line: None

    def versions(self) -> tuple[str, ...] | Missing:
        """Those of the index that have a wheel for one of the interpreters, and what they have."""
        answers = [self._indexed(python) for python in self.pythons]
        own = {found for each in self.pythons if (found := installed(each, self.package))}
        listed = {each for said in answers if not isinstance(said, Missing) for each in said}
        failures = [each for each in answers if isinstance(each, Missing)]
        if not listed and failures:
            return failures[0]
        return in_version_order(listed | own)

    def python_with(self, version: str) -> str | Missing:
        """An interpreter that has the release; an environment is made where there is none."""
        for python in self.pythons:
            if is_release(installed(python, self.package), version):
                return python
        reasons: dict[str, str] = {}
        for python in self.pythons:
            tag = _ask(python, TAG)
            if isinstance(tag, Missing):
                reasons[python] = tag.reason
            elif tag not in reasons:  # one like another has the same wheels
                made = self._environment(python, version, tag)
                if isinstance(made, str):
                    return made
                reasons[tag] = made.reason
        return Missing("; ".join(reasons.values()))

    def _indexed(self, python: str) -> tuple[str, ...] | Missing:
        with tempfile.TemporaryDirectory(prefix="quantdiff-") as folder:
            pip = _venv(python, Path(folder, "index"))
            if isinstance(pip, Missing):
                return pip
            said = _run([pip, "-m", "pip", "index", "versions", *WHEELS, self.package])
        if isinstance(said, Missing):
            return said
        listed = re.search(r"^Available versions: (.+)$", said, re.MULTILINE)
        if listed is None:
            return Missing(
                f"pip lists no versions of {self.package}; name them with --versions"
            )
        return tuple(each.strip() for each in listed[1].split(","))

    def _environment(self, python: str, version: str, tag: str) -> str | Missing:
        """The interpreter of the environment for that release, made now if it is not there yet."""
        place = self.folder / f"{self.package}-{version}-{tag}"
        inside = str(place / "bin" / "python")
        if is_release(installed(inside, self.package), version):
            return inside
        self.told(f"{self.package} {version}: making an environment in {place}")
        return self._made(python, version, tag, place)

    def _made(self, python: str, version: str, tag: str, place: Path) -> str | Missing:
        """The environment appears in its place whole or not at all."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=self.folder))
        except OSError as error:
            return Missing(f"{self.folder} cannot be written to: {error.strerror}")
        try:
            inside = _venv(python, part)
            if isinstance(inside, Missing):
                return inside
            wanted = (f"{self.package}=={version}", *companions(self.package, version))
            said = _run([inside, "-m", "pip", "install", "--quiet", *WHEELS, *wanted])
            if isinstance(said, Missing):
                return _no_wheel(said, self.package, version, tag)
            shutil.rmtree(place, ignore_errors=True)  # one that is broken
            part.rename(place)
        except OSError as error:
            return Missing(f"{place} cannot be made: {error.strerror}")
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return str(place / "bin" / "python")


def installed(python: str, package: str) -> str:
    """The version of a package that an interpreter has, empty where it has none or does not run."""
    said = _ask(python, INSTALLED, package)
    return "" if isinstance(said, Missing) else said


def default_folder() -> Path:
    """Below the user's cache folder. Source: XDG Base Directory Specification."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    return base / "quantdiff" / "environments"


def _venv(python: str, folder: Path) -> str | Missing:
    """The interpreter of a new environment with pip."""
    said = _run([python, "-m", "venv", str(folder)])
    return said if isinstance(said, Missing) else str(folder / "bin" / "python")


def _no_wheel(failure: Missing, package: str, version: str, tag: str) -> Missing:
    if f"{package}=={version}" in failure.reason and "No matching dist" in failure.reason:
        return Missing(f"no wheel of {package} {version} for {tag}")
    return failure


def _ask(python: str, script: str, *arguments: str) -> str | Missing:
    said = _run([python, "-c", script, *arguments], ASK_SECONDS)
    return said if isinstance(said, Missing) else said.strip()


def _run(command: Sequence[str], seconds: float = PIP_SECONDS) -> str | Missing:
    """What a command prints, or in one line why it fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = environment["PIP_NO_INPUT"] = "1"
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Missing(f"{command[0]} takes longer than {seconds:g} s")
    except OSError as error:
        return Missing(f"{command[0]} does not run: {error.strerror}")
    if done.returncode:
        return Missing(_why(done.stderr or done.stdout, command[0]))
    return done.stdout


def _why(said: str, command: str) -> str:
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [f"{command} fails without a word"])[-1].removeprefix("ERROR: ")
