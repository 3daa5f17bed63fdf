"""From a case back to the spec, for any model that is one operator between conversions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from onnx import NodeProto

from corpus.case import Array, Case
from generators import wire
from generators.builder import SPELLED
from generators.operators.node.build import LAYOUTS, operator_of
from generators.operators.node.reading import (
    CONVERSIONS,
    OtherModelError,
    Parameters,
    Reader,
    attributes,
    require,
)
from generators.operators.node.spec import NodeSpec, Operand, Tail

MOST_TAILS = 3
LETTERS = "abcdefghijklmnop"


def describe(case: Case) -> NodeSpec | None:
    """The spec whose ``build`` computes the same from the same data; None for other models, and broken ones.

    Data are kept as arrays, operands are named by their places. A tensor that is read twice becomes
    two. If one zero point is left out, all that may be are.
    """
    try:
        return _spec(Reader(case))
    except (OtherModelError, LookupError, TypeError, ValueError):  # or a broken one
        return None


def _spec(reader: Reader) -> NodeSpec:
    work = [node for node in reader.nodes if node.op_type not in CONVERSIONS]
    require(bool(reader.nodes))
    if not work:
        spec = _bare(reader)
    elif work[0].op_type in LAYOUTS:
        spec = _on_codes(reader, work[0])
    else:
        spec = _between(reader, work[0])
    spec = replace(spec, spelled=tuple(each for each in SPELLED if each in reader.spelled))
    require(len(reader.covered) == len(reader.nodes))
    outputs = sum(each.is_read for each in spec.results)
    require(outputs == len(reader.outputs))
    return spec


def _names(places: Sequence[str]) -> list[str]:
    """One name for each operand; a lone one is x, absent ones have none."""
    given = sum(map(bool, places))
    letters = "x" + LETTERS if given == 1 else LETTERS
    return [letters[i] if place else "" for i, place in enumerate(places)]


def _bare(reader: Reader) -> NodeSpec:
    """Conversions alone: the first one's operand, the last one's result."""
    last = next((reader.producers[n] for n in reader.outputs if n in reader.producers), None)
    require(last is not None)
    assert last is not None
    first = reader.nodes[0]
    if first.op_type == "DequantizeLinear":
        operand, real = _operand(reader, first.output[0], "x")
    else:
        operand, real = _operand(reader, first.input[0], "x")
    name = "xr" if operand.is_quantized else "x"
    results, ends, written = _results(reader, [real], [name])
    require(any(each.is_quantized for each in (operand, *results)))
    return NodeSpec(
        "",
        (operand,),
        tuple(results),
        opset=reader.opset,
        y_float=ends,
        zero_points_written=written and _is_written(reader),
    )


def _is_written(reader: Reader) -> bool:
    conversions = (node for node in reader.nodes if node.op_type in CONVERSIONS)
    return all(len(node.input) > 2 and node.input[2] for node in conversions)


def _between(reader: Reader, node: NodeProto) -> NodeSpec:
    require(not node.domain and not any(each.HasField("g") for each in node.attribute))
    reader.cover(node)
    x_float = _comes_real(reader, node)
    operands = [
        _operand(reader, name, letter)[0]
        for name, letter in zip(node.input, _names(node.input), strict=True)
    ]
    tails, last = _tails(reader, node)
    made = [last, *node.output[1:]]
    single = len(made) == 1
    names = ["y"] if single else [f"y{i}" for i in range(len(made))]
    results, y_float, _ = _results(reader, made, names)
    return NodeSpec(
        node.op_type,
        tuple(operands),
        tuple(results),
        tuple(attributes(node).items()),
        tails=tails,
        opset=reader.opset,
        x_float=x_float,
        y_float=y_float,
        zero_points_written=_is_written(reader),
    )


def _comes_real(reader: Reader, node: NodeProto) -> bool:
    """Whether the first operand is quantized from a real input; no other may be."""
    real = [
        reader.maker(back.input[0], "QuantizeLinear") is not None
        for name in node.input
        if (back := reader.maker(name, "DequantizeLinear")) is not None
    ]
    require(not any(real[1:]))
    return any(real[:1]) and reader.maker(node.input[0], "DequantizeLinear") is not None


def _operand(reader: Reader, name: str, letter: str) -> tuple[Operand, str]:
    """The tensor that a node reads, and its name where it is real."""
    if not name:
        return Operand("", (), "float32", constant=True), ""
    back = reader.maker(name, "DequantizeLinear")
    if back is None:
        array = reader.value(name)
        return _tensor(letter, array, name in reader.constants), name
    found = reader.parameters(back)
    source = back.input[0]
    first = reader.maker(source, "QuantizeLinear")
    if first is None:
        array = reader.value(source)
        plain = _tensor(letter, array, source in reader.constants)
        return _with(plain, found), name
    require(reader.parameters(first).agrees(found) and reader.readers[source] == 1)
    plain = _tensor(letter, reader.value(first.input[0]), first.input[0] in reader.constants)
    require(not plain.constant)
    return _with(replace(plain, dtype=found.dtype), found), name


def _tensor(name: str, array: Array, constant: bool) -> Operand:
    return Operand(name, array.shape, array.dtype.name, constant=constant, array=array)


def _with(tensor: Operand, found: Parameters) -> Operand:
    made = replace(
        tensor,
        scales=found.scales,
        zero_points=found.zero_points,
        axis=found.axis,
        block_size=found.block_size,
    )
    require(len(found.scales) == _count(made.parameters_shape))
    return made


def _count(shape: Iterable[int]) -> int:
    count = 1
    for each in shape:
        count *= each
    return count


def _tails(reader: Reader, node: NodeProto) -> tuple[tuple[Tail, ...], str]:
    """The operators that follow the first output, and the tensor behind them."""
    tails: list[Tail] = []
    before, real = "", node.output[0]
    while real not in reader.outputs and reader.readers[real]:
        readers = [each for each in reader.nodes if real in each.input]
        if readers[0].op_type in CONVERSIONS:
            break
        require(len(tails) < MOST_TAILS and not readers[0].domain)
        tail = reader.cover(readers[0])
        twice = list(tail.input) == [before, real]
        # what is read twice is read by this tail and the next
        require(len(readers) == 1 or (len(readers) == 2 and _is_twice(readers, real)))
        require(twice or tail.input[0] == real)
        constants = () if twice else tuple(_row(reader, name) for name in tail.input[1:])
        tails.append(Tail(tail.op_type, tuple(attributes(tail).items()), constants, twice))
        require(len(tail.output) == 1)
        before, real = real, tail.output[0]
    return tuple(tails), real


def _is_twice(readers: Sequence[NodeProto], real: str) -> bool:
    return list(readers[1].input) == [real, readers[0].output[0]]


def _row(reader: Reader, name: str) -> tuple[float, ...]:
    array = reader.constant(name)
    require(array.dtype.name == "float32" and array.ndim < 2 and array.size > 0)
    require(array.ndim == 0 or array.size > 1)
    return tuple(array.reshape(-1).tolist())


def _results(
    reader: Reader, made: Sequence[str], names: Sequence[str]
) -> tuple[list[Operand], bool, bool]:
    """Each result as it leaves the graph, whether the first leaves as reals, and of zero points."""
    results, ends_real, written = [], False, True
    for i, (real, name) in enumerate(zip(made, names, strict=True)):
        if real in reader.outputs or not reader.readers[real]:
            results.append(_leaving(reader, real, name))
            continue
        node = reader.only_reader(real)
        require(node.op_type == "QuantizeLinear" and node.input[0] == real)
        found, code = reader.parameters(node), node.output[0]
        written = written and found.zero_written
        if code not in reader.outputs:
            back = reader.only_reader(code)
            require(i == 0 and back.op_type == "DequantizeLinear")
            require(reader.parameters(back).agrees(found))
            code, ends_real = back.output[0], True
        shape = _leaving(reader, code, "y" if name in ("x", "xr") else name)
        results.append(_with(replace(shape, dtype=found.dtype), found))
    return results, ends_real, written


def _leaving(reader: Reader, name: str, letter: str) -> Operand:
    """An output of the graph; without a type where nobody reads it."""
    if name not in reader.outputs:
        return Operand(letter, (), "")
    info = reader.outputs[name].type.tensor_type
    require(
        info.HasField("shape") and all(each.HasField("dim_value") for each in info.shape.dim)
    )
    shape = tuple(each.dim_value for each in info.shape.dim)
    return Operand(letter, shape, _type_name(info.elem_type))


def _type_name(code: int) -> str:
    names = {code: name for name, code in wire.ELEMENT_TYPES.items()}
    require(code in names)
    return names[code]


def _on_codes(reader: Reader, node: NodeProto) -> NodeSpec:
    """An operator on codes, its inputs by their places."""
    domain, layout = LAYOUTS[node.op_type]
    require(node.domain in (domain, domain or "ai.onnx") and len(reader.nodes) == 1)
    reader.cover(node)
    places = dict(zip(layout.split(), node.input, strict=False))
    require(len(node.input) <= len(layout.split()))
    count = 1 + max(int(each) for each in places if each.isdigit())
    tensors = [places.get(str(i), "") for i in range(count)]
    operands = [
        _codes(reader, places, str(i), _tensor_of(reader, name, letter), node.op_type)
        for i, (name, letter) in enumerate(zip(tensors, _names(tensors), strict=True))
    ]
    result = _leaving(reader, node.output[0], "y")
    require(result.is_read and len(node.output) == 1)
    return NodeSpec(
        operator_of(node.op_type),
        tuple(operands),
        (_codes(reader, places, "y", result, node.op_type),),
        tuple(attributes(node).items()),
        form=node.op_type,
        opset=reader.opset,
    )


def _tensor_of(reader: Reader, name: str, letter: str) -> Operand:
    if not name:
        return Operand("", (), "float32", constant=True)
    return _tensor(letter, reader.value(name), name in reader.constants)


def _codes(
    reader: Reader, places: Mapping[str, str], letter: str, tensor: Operand, form: str
) -> Operand:
    """The tensor with the scale and zero point that the operator has for it; 1 where it has none."""
    layout = LAYOUTS[form][1].split()
    if not {f"{letter}s", f"{letter}z"} & set(layout) or tensor.dtype in ("float32", "int32"):
        return tensor
    scale, zero = places.get(f"{letter}s", ""), places.get(f"{letter}z", "")
    scales = reader.constant(scale) if scale else np.ones((), np.float32)
    zeros = reader.constant(zero) if zero else np.zeros((), np.int64)
    require(scales.dtype == np.float32 and max(scales.ndim, zeros.ndim) < 2)
    count = max(scales.size, zeros.size)
    require({scales.size, zeros.size} <= {1, count})
    made = replace(
        tensor,
        scales=tuple(np.resize(scales, count).tolist()),
        zero_points=tuple(np.resize(zeros, count).astype(np.int64).tolist()),
    )
    if count == 1:
        return made
    require(letter == "1")
    axes = [i for i, size in enumerate(tensor.shape) if size == count]
    require(bool(axes))
    return replace(made, axis=axes[-1])
