"""Projects that are not ours, and pytest runs in them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLUGINS = ("harness.pytest_plugin", "_hypothesis_pytestplugin")
OTHERS = ("CI", "BUILD_NUMBER")  # with these pytest prints every message a second time, whole


def pytest_in(
    folder: Path, files: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """What ``pytest ARGUMENTS`` makes of a folder with these files."""
    for name, text in files.items():
        (folder / name).write_text(text)
    plugins = [word for each in PLUGINS for word in ("-p", each)]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_") and name not in OTHERS
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-q", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
