"""What the installed onnxruntime claims to compute: the kernels it registers for the CPU."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import onnx
from onnxruntime.capi import _pybind_state

CPU = "CPUExecutionProvider"


@lru_cache(maxsize=1)
def _kernels() -> dict[tuple[str, str], list[tuple[int, int, Any]]]:
    found: dict[tuple[str, str], list[tuple[int, int, Any]]] = {}
    for each in _pybind_state.get_all_opkernel_def():
        if each.provider == CPU:
            taken = {key: frozenset(types) for key, types in each.type_constraints.items()}
            first, last = each.version_range
            found.setdefault((each.domain, each.op_name), []).append((first, last, taken))
    return found


def operators() -> list[str]:
    """Names of the standard's operators that have a kernel."""
    return [name for domain, name in _kernels() if domain == ""]


def in_words(operator: str) -> list[str]:
    """One line for each type combination of one operator's kernels."""
    return [
        operator
        + " takes "
        + ", ".join(
            "{} {}".format(key, "|".join(_short(types)))
            for key, types in sorted(taken.items())
        )
        for _, _, taken in _kernels().get(("", operator), [])
    ]


def _short(types: frozenset[str]) -> list[str]:
    return sorted(each[len("tensor(") : -1] for each in types)


def unclaimed(model: bytes) -> str:
    """The first node that no kernel claims, in words; empty where there is one for each node."""
    graph = onnx.shape_inference.infer_shapes(onnx.ModelProto.FromString(model))
    types = _tensor_types(graph.graph)
    versions = {each.domain: each.version for each in graph.opset_import}
    for node in graph.graph.node:
        if not _is_claimed(node, types, versions.get(node.domain, 1)):
            used = ", ".join(types.get(each, "?") for each in node.input if each)
            return f"{node.op_type} {node.name or node.output[0]}: no CPU kernel is registered for ({used})"
    return ""


def _is_claimed(node: onnx.NodeProto, types: dict[str, str], version: int) -> bool:
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return False
    given = list(_parameters(schema.inputs, node.input, types))
    given += _parameters(schema.outputs, node.output, types)
    return any(
        first <= schema.since_version <= last
        and all(kind in taken.get(parameter, (kind,)) for parameter, kind in given)
        for first, last, taken in _kernels().get((node.domain, node.op_type), [])
    )


def _parameters(formal: Any, names: Any, types: dict[str, str]) -> list[tuple[str, str]]:
    """Type parameter and type of each input (or output) whose type is known."""
    last = len(formal) - 1  # a variadic parameter takes all that follow
    return [
        (formal[min(i, last)].type_str, types[name])
        for i, name in enumerate(names)
        if name in types
    ]


def _tensor_types(graph: onnx.GraphProto) -> dict[str, str]:
    known = {each.name: each.data_type for each in graph.initializer}
    for group in (graph.input, graph.value_info, graph.output):
        known.update({each.name: each.type.tensor_type.elem_type for each in group})
    named = onnx.TensorProto.DataType.Name
    return {name: f"tensor({named(kind).lower()})" for name, kind in known.items() if kind}
