"""Our own engine as a backend; its profiles, fusion and faults are options."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

import engine
from engine.errors import Unsupported
from engine.faults import CATALOGUE
from engine.fusion.rewrite import RULE_IDS
from engine.kernels.operators import OPERATORS
from harness.backends.protocol import Limit
from harness.backends.versions import version

if TYPE_CHECKING:
    from harness.backends.protocol import Array

KEPT_SESSIONS = 8
KEPT_GRAPHS = 2


def adapter(name: str) -> EngineSession:
    """The adapter; the catalogue knows it as ``engine``."""
    return EngineSession()


class EngineSession:
    """Sessions of our engine, the last few kept."""

    def __init__(self) -> None:
        self._graph = lru_cache(KEPT_GRAPHS)(engine.load)  # one for all options of a model
        self._session = lru_cache(KEPT_SESSIONS)(self._create)

    def describe(self) -> dict[str, Any]:
        """Facts, as `harness.backends.protocol.Adapter` asks for them."""
        return {
            "name": "engine",
            "version": version("quantdiff"),
            "profile": "spec",
            "taps": True,
            "switches": sorted(RULE_IDS),
            "operators": sorted(name for name, each in OPERATORS.items() if each.domains),
            "versions": {"numpy": np.__version__},
            "options": {
                "fusion": ["on", "off"],
                "disable": sorted(RULE_IDS),
                "profile": list(engine.PROFILES),
                "fault": [each.key for each in CATALOGUE],
            },
            "many": ["fault", "disable"],
        }

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """Outputs of a session with the options' profile, fusion and faults."""
        found: dict[str, Array] = self._open(model, options).run(inputs)
        return found

    def tap(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Any]:
        """Every tensor that the plan materialises; the same run, so confirmed by construction."""
        session = self._open(model, options)
        arrays = session.run_tapped(inputs)
        return {
            "arrays": arrays,
            "plan": [_step(each, arrays) for each in session.plan().steps],
            "method": "native",
            "confirmed": True,
        }

    def _open(self, model: bytes, options: dict[str, str]) -> Any:
        try:
            return self._session(model, tuple(sorted(options.items())))
        except Unsupported as error:
            raise Limit(str(error)) from error

    def _create(self, model: bytes, options: tuple[tuple[str, str], ...]) -> Any:
        given = dict(options)
        faults = given["fault"].split("+") if "fault" in given else ()
        fusion: Any = given.get("fusion", "on")
        if "disable" in given and fusion == "on":
            fusion = given["disable"].split("+")
        profile = given.get("profile", "spec")
        return engine.Session(
            self._graph(model), profile=profile, fusion=fusion, faults=faults
        )


def _step(step: Any, computed: dict[str, Array]) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "name": "+".join(step.nodes),
        "nodes": list(step.nodes),
        "inputs": [each for each in step.inputs if each in computed],  # constants apart
        "outputs": list(step.outputs),
    }
