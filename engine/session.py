"""A session: one model, loaded once, run many times."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from engine.errors import EngineError, InvalidModel
from engine.faults import apply_faults, find
from engine.fusion.rewrite import OPT_IN_IDS, RULE_IDS, Rewrite, rewrite
from engine.ir import Array, Graph, Value
from engine.kernels.operator import Setting
from engine.kernels.operators import OPERATORS
from engine.onnx_file import folder_of, read_model
from engine.onnx_import import import_graph
from engine.plan import Plan, kept_nodes
from engine.profiles import find_profile
from engine.program import MISFITS, Program, compile_graph


def load(model: bytes | onnx.ModelProto | str | Path) -> Graph:
    """The graph of a serialized or parsed ONNX model or of a file, for any number of sessions.

    Raises:
        Unsupported: a valid model that needs something this engine lacks.
        InvalidModel: no valid ONNX model.
        EngineError: the file cannot be read.
    """
    return import_graph(read_model(model), OPERATORS, folder_of(model))


class Session:
    """An int8 engine for one ONNX model.

    Args:
        model: what `load` takes, or what it returned.
        profile: whose arithmetic turns sums into codes; see ``engine.PROFILES``.
        fusion: ``"on"``, ``"off"`` (every DequantizeLinear, operator and QuantizeLinear runs by
            itself in float32, QLinearConv in the plain kernel), or the ids of rules to switch off.
        opt_in: ids of rules that change values (X2, X3) and are to run all the same.
        faults: keys of deliberate deviations; see ``engine.faults.CATALOGUE``.

    Raises:
        Unsupported: a valid model that needs something this engine lacks.
        InvalidModel: no valid ONNX model.
        EngineError: an unknown profile, rule or fault.
    """

    def __init__(
        self,
        model: bytes | onnx.ModelProto | str | Path | Graph,
        *,
        profile: str = "spec",
        fusion: str | Collection[str] = "on",
        faults: Sequence[str] = (),
        opt_in: Collection[str] = (),
    ) -> None:
        changed = apply_faults(find_profile(profile), [find(key) for key in faults])
        self._rules_off, self._opt_in = _rules_off(fusion), _opt_in(opt_in)
        self._guards_off = changed.guards_off
        self._profile, self._replaced = changed.profile, changed.replaced
        self._graph: Graph = model if isinstance(model, Graph) else load(model)
        self._rewritten = self._rewrite() if len(self._rules_off) < len(RULE_IDS) else None
        graph = self._rewritten.graph if self._rewritten else self._graph
        setting = Setting(
            graph,
            changed.profile,
            changed.stages,
            changed.replaced,
            self._rules_off,
            OPERATORS,
        )
        with np.errstate(all="ignore"):
            self._program: Program = compile_graph(graph, setting)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The graph's outputs, by name.

        Raises:
            EngineError: an input is missing, unknown, of another type or shape, or a tensor inside
                does not fit the operator that reads it.
        """
        values = self._evaluate(inputs, keep=False)
        slots = self._program.outputs
        return {
            name: values[slot] for name, slot in zip(self._graph.outputs, slots, strict=True)
        }

    def run_tapped(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The graph's inputs and every tensor of the source graph that the plan materialises."""
        values = self._evaluate(inputs, keep=True)
        known = {name for node in self._graph.nodes for name in node.outputs}
        known.update(each.name for each in self._graph.inputs)
        pairs = zip(self._program.names, values, strict=True)
        return {name: each for name, each in pairs if name in known}

    def plan(self) -> Plan:
        """What runs as one operation, and why the rest stayed float."""
        found = self._rewritten or self._rewrite()
        steps = tuple(each.step for each in self._program.operations)
        return Plan(steps, kept_nodes(found), tuple(found.view.removed))

    def _rewrite(self) -> Rewrite:
        try:
            with np.errstate(all="ignore"):
                return rewrite(
                    self._graph,
                    self._rules_off,
                    self._guards_off,
                    self._opt_in,
                    self._profile,
                    self._replaced,
                )
        except MISFITS as error:
            raise InvalidModel(
                f"a constant or attribute does not fit its operator: {error}; see fusion='off'"
            ) from error

    def _evaluate(self, inputs: Mapping[str, Array], keep: bool) -> list[Any]:
        graph = self._graph
        given = [_checked(value, inputs, graph.defaults) for value in graph.inputs]
        if len(inputs) != len(given) or graph.defaults:
            _check_known(graph, inputs)
        with np.errstate(all="ignore"):
            return self._program.run(given, keep)


def _rules_off(fusion: str | Collection[str]) -> frozenset[str]:
    if fusion == "on":
        return frozenset()
    if fusion == "off":
        return RULE_IDS
    given = frozenset([fusion] if isinstance(fusion, str) else fusion)
    if unknown := sorted(given - RULE_IDS):
        known = ", ".join(sorted(RULE_IDS))
        raise EngineError(f"fusion rule {unknown[0]!r} is unknown; known: on, off, {known}")
    return given


def _opt_in(given: Collection[str]) -> frozenset[str]:
    if unknown := sorted(set(given) - OPT_IN_IDS):
        known = ", ".join(sorted(OPT_IN_IDS)) or "none"
        raise EngineError(f"rule {unknown[0]!r} is not one to opt in to; those are: {known}")
    return frozenset(given)


def _checked(
    value: Value, inputs: Mapping[str, Array], defaults: Mapping[str, Array]
) -> Array:
    array = inputs.get(value.name)
    if array is None:
        array = defaults.get(value.name)
    if array is None:
        raise EngineError(f"input {value.name!r} is missing; give {value}")
    if array.dtype != value.dtype:
        raise EngineError(f"input {value.name!r} is {array.dtype}, the model takes {value}")
    if value.shape is not None and array.shape != value.shape:
        fits = len(array.shape) == len(value.shape) and all(
            wanted is None or got == wanted
            for got, wanted in zip(array.shape, value.shape, strict=True)
        )
        if not fits:
            raise EngineError(
                f"input {value.name!r} has shape {array.shape}, the model takes {value}"
            )
    return array


def _check_known(graph: Graph, inputs: Mapping[str, Array]) -> None:
    names = [each.name for each in graph.inputs]
    unknown = next((name for name in inputs if name not in names), None)
    if unknown is None:
        return
    what = "is an initializer" if unknown in graph.constants else "is no input of the model"
    raise EngineError(f"input {unknown!r} {what}; its inputs are {', '.join(names) or 'none'}")
