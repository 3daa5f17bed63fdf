"""Reads models and arrays that may be anything: what is wrong is said in one line.

Nothing here runs code of a file: arrays are never unpickled, and a model reaches no file outside
its own folder.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, ValueInfoProto

from corpus.case import Array
from corpus.contrib import wrong_attribute
from corpus.draw import Unfillable, drawn

MOST_BYTES = 2**31
MOST_ELEMENTS = 2**28
DEEPEST_GRAPH = 16


class InputError(ValueError):
    """A file that cannot be used: one line that says what, where, and what to do."""


def load_model(path: Path, *, valid: bool = True) -> ModelProto:
    """The checked model of a file, with external data read in; unless ``valid`` any graph will do.

    Raises:
        InputError: the file is missing, too large, not an ONNX model or not a valid one, or it
            refers to data outside its folder.
    """
    _require_file(path)
    return read_model(path.read_bytes(), path, valid=valid)


def read_model(data: bytes, path: Path, *, valid: bool = True) -> ModelProto:
    """The checked model of serialized bytes; ``path`` is where they come from, in messages too.

    Raises:
        InputError: they are no ONNX model or not a valid one, or refer to data outside the folder.
    """
    try:
        model = ModelProto.FromString(data)
    except DecodeError:
        raise InputError(f"{path} is not an ONNX model: it is no protobuf message") from None
    if valid:
        _require_model(model, path)
    elif not model.graph.node:
        raise InputError(f"{path} is not an ONNX model: it has no graph with nodes")
    for tensor in _tensors(model.graph, path):
        if tensor.data_location == TensorProto.EXTERNAL:
            _read_in(tensor, path)
    if valid:
        _require_valid(model, path)
    return model


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if not path.is_file():
        why = "is no regular file" if path.exists() else "does not exist"
        raise InputError(f"{path} {why}")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES} bytes, the limit for one file")


def _require_model(model: ModelProto, path: Path) -> None:
    """Other messages, and even garbage, sometimes parse: a model has these fields."""
    if not model.HasField("graph") or not model.graph.output:
        raise InputError(f"{path} is not an ONNX model: it has no graph with outputs")
    if model.ir_version < 1 or not model.opset_import:
        raise InputError(f"{path} is not an ONNX model: it names no IR version or no opset")


def _require_valid(model: ModelProto, path: Path) -> None:
    """The checker's word, declared types against inferred ones, and what the checker leaves out."""
    newest = onnx.defs.onnx_opset_version()
    opset = max(
        (e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), default=0
    )
    if opset > newest:
        raise InputError(
            f"{path} has opset {opset}, onnx here knows up to {newest}; convert it"
        )
    try:
        onnx.checker.check_model(model, full_check=True)
    except (
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        ValueError,
    ) as error:
        raise InputError(f"{path} is not a valid ONNX model: {_first_line(error)}") from None
    if wrong := wrong_attribute(model.graph):
        raise InputError(f"{path} is not a valid ONNX model: {wrong}")
    names = Counter(node.name for node in model.graph.node if node.name)
    if twice := next((name for name, times in names.items() if times > 1), None):
        raise InputError(f"{path} is not a valid ONNX model: two nodes are called {twice!r}")


def _tensors(graph: GraphProto, path: Path, depth: int = 0) -> Iterator[TensorProto]:
    """Every tensor of a graph and of the graphs in its nodes."""
    if depth > DEEPEST_GRAPH:
        raise InputError(f"{path} nests graphs deeper than {DEEPEST_GRAPH}; unnest it")
    yield from graph.initializer
    for each in graph.sparse_initializer:
        yield from (each.values, each.indices)
    for attribute in (each for node in graph.node for each in node.attribute):
        yield from _attribute_tensors(attribute, path, depth)


def _attribute_tensors(
    attribute: AttributeProto, path: Path, depth: int
) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    subgraphs = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
    for subgraph in subgraphs:
        yield from _tensors(subgraph, path, depth + 1)


def _read_in(tensor: TensorProto, path: Path) -> None:
    """Replace a reference to external data by the data."""
    said = {each.key: each.value for each in tensor.external_data}
    folder = path.parent.resolve()
    file = (folder / said.get("location", "")).resolve()
    where = f"{path}: data of tensor {tensor.name!r}"
    if not file.is_relative_to(folder) or not file.is_file():
        raise InputError(
            f"{where}: {said.get('location', '')!r} is no file in the model's folder"
        )
    try:
        offset, length = int(said.get("offset", 0)), int(said.get("length", -1))
    except ValueError:
        raise InputError(f"{where}: offset or length is no number") from None
    size = file.stat().st_size
    length = size - offset if length < 0 else length
    if not 0 <= offset <= offset + length <= min(size, offset + MOST_BYTES):
        raise InputError(
            f"{where}: bytes {offset} to {offset + length} are not in {file.name}"
        )
    with file.open("rb") as stream:
        stream.seek(offset)
        tensor.raw_data = stream.read(length)
    del tensor.external_data[:]
    tensor.data_location = TensorProto.DEFAULT


def _first_line(error: Exception) -> str:
    return next(
        (line.strip() for line in str(error).splitlines() if line.strip()), "no reason"
    )


def load_array(path: Path, model: ModelProto, name: str) -> Array:
    """The array of a ``.npy`` file for the input ``name`` of a model.

    Raises:
        InputError: the file is missing or holds no plain array; the model has no such input; the
            array's type or shape is not the input's.
    """
    value = input_of(model, name)
    array = typed(load_npy(path), value)
    require_fit(array, value, str(path))
    return array


def typed(array: Array, value: ValueInfoProto) -> Array:
    """The array with the value's type, where a ``.npy`` file keeps its bytes alone (float8, 4 bits)."""
    if array.dtype.kind != "V" or array.dtype.names:
        return array
    dtype, _ = _signature(value)
    return array.view(dtype) if dtype.itemsize == array.dtype.itemsize else array


def input_of(model: ModelProto, name: str) -> ValueInfoProto:
    """The input of that name; those with an initializer, a default value, are inputs too.

    Raises:
        InputError: the model has none.
    """
    inputs = {each.name: each for each in model.graph.input}
    if name not in inputs:
        raise InputError(
            f"the model has no input {name!r}; its inputs are {', '.join(inputs)}"
        )
    return inputs[name]


def require_fit(array: Array, value: ValueInfoProto, where: str) -> None:
    """Refuse an array, from ``where``, of another type or shape than an input of a model.

    Raises:
        InputError: it is one.
    """
    name, (dtype, shape) = value.name, _signature(value)
    if array.dtype != dtype:
        raise InputError(f"{where} holds {array.dtype}, input {name!r} takes {dtype}")
    if not _fits(array.shape, shape):
        wanted = "x".join(str(each or "?") for each in shape or ()) or "scalar"
        found = "x".join(map(str, array.shape)) or "scalar"
        raise InputError(
            f"{where} holds an array of shape {found}, input {name!r} takes {wanted}"
        )


def load_npy(path: Path) -> Array:
    """The plain array of a ``.npy`` file.

    Raises:
        InputError: the file is missing, too large, no ``.npy`` file, or holds Python objects.
    """
    _require_file(path)
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, OSError, EOFError, MemoryError) as error:
        reason = _first_line(error)
        if "pickle" in reason:  # numpy's advice is how to run what is in it
            reason = "it has no header of numpy"
        raise InputError(f"{path} is not a .npy file of numbers: {reason}") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is an archive of arrays; save one array with numpy.save")
    return np.array(array, order="C")


def model_inputs(model: ModelProto) -> list[ValueInfoProto]:
    """The inputs a caller must give: graph inputs that are no initializers."""
    initializers = {each.name for each in model.graph.initializer}
    return [each for each in model.graph.input if each.name not in initializers]


def _signature(value: ValueInfoProto) -> tuple[np.dtype[Any], tuple[int | None, ...] | None]:
    """Element type and sizes; None for a size, or for all of them, that the model leaves open."""
    tensor = value.type.tensor_type
    try:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except KeyError:
        raise InputError(f"input {value.name!r} is no tensor") from None
    if not tensor.HasField("shape"):
        return dtype, None
    sizes = (
        each.dim_value if each.HasField("dim_value") else None for each in tensor.shape.dim
    )
    return dtype, tuple(sizes)


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...] | None) -> bool:
    if wanted is None:
        return True
    same = (size in (None, have) for size, have in zip(wanted, found, strict=False))
    return len(wanted) == len(found) and all(same)


def random_inputs(
    model: ModelProto, seed: int, *, given: Collection[str] = ()
) -> dict[str, Array]:
    """An array for every input of the model but those ``given``, drawn from ``seed``.

    Codes are uniform; reals that are quantized at once fill the range of the codes; other reals are
    standard normal. Sizes that the model leaves open are 1.

    Raises:
        InputError: an input has a type or a size that nothing can be drawn for.
    """
    random = np.random.default_rng(seed)
    arrays: dict[str, Array] = {}
    for value in model_inputs(model):
        if value.name in given:
            continue
        dtype, sizes = _signature(value)
        if sizes is None:
            raise InputError(f"input {value.name!r} has no shape; give it as NAME=FILE.npy")
        shape = tuple(1 if size is None else size for size in sizes)
        if prod(shape) > MOST_ELEMENTS:
            raise InputError(f"input {value.name!r} has more than {MOST_ELEMENTS} elements")
        try:
            arrays[value.name] = drawn(model, value.name, dtype, shape, random)
        except Unfillable:
            raise InputError(
                f"input {value.name!r} is of type {dtype}, which is not drawn; give it as NAME=FILE.npy"
            ) from None
    return arrays
