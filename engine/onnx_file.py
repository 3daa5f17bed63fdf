"""A parsed ONNX model from whatever holds it: bytes, a file, a message; functions are inlined."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from engine.errors import EngineError, InvalidModel, Unsupported

Model: TypeAlias = bytes | onnx.ModelProto | str | Path
_MOST_NODES = 100_000
_Calls = Mapping[tuple[str, str], Counter[tuple[str, str]]]


def read_model(model: Model) -> onnx.ModelProto:
    """The parsed model, without functions of its own.

    Raises:
        InvalidModel: there is none in what was given, or its functions call themselves.
        EngineError: the file cannot be read.
    """
    if isinstance(model, str | Path):
        model = _read_file(Path(model))
    if not isinstance(model, onnx.ModelProto):
        try:
            model = onnx.ModelProto.FromString(model)
        except (DecodeError, TypeError) as error:
            raise InvalidModel(
                "this is no ONNX model: its bytes do not parse; export it again"
            ) from error
    return _inlined(model) if model.functions else model


def folder_of(model: object) -> Path | None:
    """Where a model's files of tensors lie: beside it, where it is a file itself."""
    return Path(model).parent if isinstance(model, str | Path) else None


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise EngineError(f"model {path}: {reason}; give the path of an ONNX file") from error


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the nodes of its functions in the place of their calls."""
    _check_calls(model)
    try:
        from onnx import inliner
    except ImportError as error:
        raise Unsupported(
            "the model has functions, which this version of onnx cannot inline; inline them first"
        ) from error
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # whatever the library meets in a function that is none
        raise InvalidModel(f"the functions of the model cannot be inlined: {error}") from error


def _check_calls(model: onnx.ModelProto) -> None:
    """Refuses functions that call themselves, and calls that multiply beyond all bounds."""
    calls: _Calls = {
        (each.domain, each.name): Counter(_called(each.node)) for each in model.functions
    }
    sizes: dict[tuple[str, str], int] = {}
    waiting = list(calls)
    while waiting:
        later = [each for each in waiting if not _sized(each, calls, sizes)]
        if len(later) == len(waiting):
            raise InvalidModel(f"function {later[0][1]!r} of the model calls itself")
        waiting = later
    if _size(Counter(_called(model.graph.node)), sizes) > _MOST_NODES:
        raise Unsupported(
            f"the functions of the model stand for more than {_MOST_NODES} nodes; split the model"
        )


def _called(nodes: Iterable[onnx.NodeProto]) -> Iterator[tuple[str, str]]:
    """What the nodes call, those of their subgraphs too."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node.domain, node.op_type
        for each in node.attribute:
            waiting += [
                *each.g.node,
                *(inner for graph in each.graphs for inner in graph.node),
            ]


def _sized(name: tuple[str, str], calls: _Calls, sizes: dict[tuple[str, str], int]) -> bool:
    """Whether the number of nodes behind a function is known now."""
    if any(each in calls and each not in sizes for each in calls[name]):
        return False
    sizes[name] = _size(calls[name], sizes)
    return True


def _size(nodes: Counter[tuple[str, str]], sizes: Mapping[tuple[str, str], int]) -> int:
    """How many nodes these stand for."""
    return sum(count * sizes.get(name, 1) for name, count in nodes.items())
