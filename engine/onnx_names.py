"""The names of a graph: each made once, before it is read; what a branch reads from around it."""

from collections.abc import Iterable, Mapping, Sequence

from engine.errors import InvalidModel
from engine.ir import Attribute, Graph, Node


def trimmed(names: Sequence[str]) -> tuple[str, ...]:
    """The names without the absent ones at the end."""
    found = tuple(names)
    while found and not found[-1]:
        found = found[:-1]
    return found


def check_unique(what: str, names: Sequence[str]) -> None:
    """Refuses names that repeat, and ``""``, which means absent."""
    if len(set(names)) == len(names) and "" not in names:
        return
    if "" in names:
        raise InvalidModel(f"an {what} has no name; give it one")
    twice = next(each for each in names if names.count(each) > 1)
    raise InvalidModel(f"{what} {twice!r} exists twice; rename one")


def check_names(graph: Graph) -> None:
    """Refuses nodes that read what is not there yet, make what is there, and outputs of nobody."""
    known: set[str] = {"", *graph.constants, *graph.captured}
    for value in graph.inputs:
        if value.name in known:
            raise InvalidModel(f"input {value.name!r} is a constant too; rename one")
        known.add(value.name)
    for node in graph.nodes:
        if not known.issuperset(node.inputs):
            _refuse_missing(node, known, graph)
        for name in node.outputs:
            if name in known and name:
                raise InvalidModel(
                    f"{node.op} {node.id!r}: its output {name!r} exists already; rename it"
                )
            known.add(name)
    check_text(known)
    check_text(node.id for node in graph.nodes)
    _check_outputs(graph.outputs, known)


def check_text(names: Iterable[object]) -> None:
    """Refuses names that are no UTF-8: the protobuf library hands these on as bytes."""
    for name in names:
        if isinstance(name, bytes):
            raise InvalidModel(f"the name {name!r} is no text; rename it")


def _refuse_missing(node: Node, known: Iterable[str], graph: Graph) -> None:
    name = next(each for each in node.inputs if each not in known)
    if any(name in each.outputs for each in graph.nodes):
        raise InvalidModel(
            f"{node.op} {node.id!r} reads {name!r} before it is computed (a cycle, or nodes out of order)"
        )
    raise InvalidModel(
        f"{node.op} {node.id!r} reads {name!r}, which is no input, initializer or node output"
    )


def _check_outputs(outputs: tuple[str, ...], known: set[str]) -> None:
    if not outputs:
        raise InvalidModel("the graph has no outputs; name at least one")
    for name in outputs:
        if name not in known or not name:
            raise InvalidModel(f"graph output {name!r} is computed by no node; remove it")
    if len(set(outputs)) < len(outputs):
        twice = next(each for each in outputs if outputs.count(each) > 1)
        raise InvalidModel(f"graph output {twice!r} is listed twice; remove one")


def captured_by(
    op: str,
    identity: str,
    attributes: Mapping[str, Attribute],
    outputs: int,
    given: Sequence[str],
) -> tuple[str, ...]:
    """The tensors around an If that its branches read, each once.

    As inputs of the node they are what every rule sees: somebody else reads them (G3, G13).
    """
    branches = {name: each for name, each in attributes.items() if isinstance(each, Graph)}
    for name, graph in branches.items():
        if len(graph.outputs) != outputs:
            raise InvalidModel(
                f"{op} {identity!r} has {outputs} output(s), its {name} {len(graph.outputs)}"
            )
    return tuple(dict.fromkeys(each for g in branches.values() for each in g.captured))
