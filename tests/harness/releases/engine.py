"""An engine with releases: what it does is in the environment of its interpreter."""

import os
import time
from pathlib import Path
from typing import Any

import onnx

from engine import Session
from tests.fakes import Arrays

BEHAVES, IS = "MINIATURE_BEHAVES", "MINIATURE_IS"
NAME = f"{__name__}:Released"


class Released:
    """Right, or with the fault that is named, or failing in the way that is named."""

    def describe(self) -> dict[str, Any]:
        if self._behaves() == "absent":
            raise ImportError("no engine here")
        return {"name": "miniature", "version": os.environ.get(IS, "")}

    def run(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> Arrays:
        behaves = self._behaves()
        if behaves == "refuses":
            raise NotImplementedError("no kernel for this")
        if behaves == "dies":
            os.abort()
        if behaves == "hangs":
            time.sleep(3600)
        faults = () if behaves == "right" else (behaves,)
        return Session(onnx.ModelProto.FromString(model), faults=faults).run(inputs)

    def _behaves(self) -> str:
        return os.environ.get(BEHAVES, "right")


def interpreter(folder: Path, python: str, version: str, behaves: str) -> str:
    """An interpreter in which the engine is of that version and behaves that way."""
    path = folder / version / "python"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'#!/bin/sh\nexport {IS}={version} {BEHAVES}={behaves}\nexec "{python}" "$@"\n'
    )
    path.chmod(0o755)
    return str(path)
