"""Our own engine as a backend; its profiles, fusion and faults are options."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

import engine
from engine.errors import Unsupported
from engine.faults import CATALOGUE
from engine.fusion.rewrite import OPT_IN_IDS, RULE_IDS
from engine.kernels.operators import OPERATORS
from harness.backends.protocol import Limit
from harness.backends.versions import version

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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
            "switches": sorted(RULE_IDS - OPT_IN_IDS),
            "operators": sorted(name for name, each in OPERATORS.items() if each.domains),
            "versions": {"numpy": np.__version__},
            "options": {
                "fusion": ["on", "off"],
                "disable": sorted(RULE_IDS),
                "enable": sorted(OPT_IN_IDS),
                "profile": list(engine.PROFILES),
                "fault": [each.key for each in CATALOGUE],
            },
            "many": ["fault", "disable", "enable"],
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
            "plan": _units(session.plan().steps, arrays),
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
        return engine.Session(
            self._graph(model),
            profile=given.get("profile", "spec"),
            fusion=fusion,
            faults=faults,
            opt_in=given["enable"].split("+") if "enable" in given else (),
        )


def _units(steps: Sequence[Any], computed: Collection[str]) -> list[dict[str, Any]]:
    """The plan in tensors of the source graph.

    Steps that meet in a tensor which the source graph does not have, because a rule made it up, are
    one unit; it stands where the last of them does.
    """
    unit_of: dict[str, list[Any]] = {}
    units: list[list[Any]] = []
    for step in steps:
        unit = [step]
        for name in dict.fromkeys(step.inputs):
            before = unit_of.get(name)
            if before is not None and before is not unit and name not in computed:
                units.remove(before)
                unit[:0] = before
                unit_of.update((each, unit) for part in before for each in part.outputs)
        unit_of.update(dict.fromkeys(step.outputs, unit))
        units.append(unit)
    return [_unit(each, computed) for each in units]


def _unit(steps: Sequence[Any], computed: Collection[str]) -> dict[str, Any]:
    nodes = list(dict.fromkeys(node for step in steps for node in step.nodes))
    made = [name for step in steps for name in step.outputs if name in computed]
    read = dict.fromkeys(name for step in steps for name in step.inputs)
    return {
        "kind": "+".join(dict.fromkeys(step.kind for step in steps)),
        "name": "+".join(nodes),
        "nodes": nodes,
        "inputs": [name for name in read if name in computed and name not in made],
        "outputs": made,
    }
