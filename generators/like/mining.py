"""Mining: the patterns of a user's model, each with the shapes it has there, small enough to keep."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

import onnx
from onnx import helper, numpy_helper

from engine import EngineError, Session, Unsupported
from generators.choices import RandomChoices
from generators.like.drawing import Unshrinkable, drawn
from generators.like.prepare import Prepared, prepared
from generators.like.quantities import rescaled, shrunk_by, slots
from generators.like.regions import Left, Region, left, regions
from generators.like.sizes import Part, part_of, resized
from generators.like.small import kept_sizes
from generators.like.words import key_of, name_of, numbered

MOST_SHAPES = 16  # of one pattern
MOST_BYTES = 4_000_000  # of one part that cannot be made smaller
_TRIALS = 3
_SHORT_DIGEST = 8


@dataclass(slots=True)
class _Pattern:
    name: str
    count: int = 0
    shapes: dict[tuple[object, ...], Part] = field(default_factory=dict)
    beyond: set[tuple[object, ...]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Mined:
    """The parts of a model as ONNX files in the order of their patterns, and what is left out.

    ``patterns`` say by name how often each is in the model, ``left`` in a line each what is not
    varied and why.
    """

    parts: tuple[bytes, ...]
    patterns: tuple[tuple[str, int], ...]
    left: tuple[str, ...]


def mine(model: onnx.ModelProto) -> Mined:
    """Take a model apart into its distinct patterns."""
    digest = sha256(model.SerializeToString(deterministic=True)).hexdigest()[:_SHORT_DIGEST]
    plain = prepared(model)
    found, unfit = regions(plain)
    patterns: dict[str, _Pattern] = {}
    for region in found:
        whole = part_of(_extracted(plain, region))
        key = key_of(whole)
        pattern = patterns.setdefault(key, _Pattern(name_of(whole)))
        pattern.count += 1
        shapes = _shapes(whole)
        if shapes in pattern.shapes:
            continue
        if len(pattern.shapes) == MOST_SHAPES:
            pattern.beyond.add(shapes)
            continue
        small = _kept(whole)
        why = "its sizes cannot be made smaller" if small is None else _trouble(small)
        if small is None or why:
            unfit.append(left(region, why))
        else:
            pattern.shapes[shapes] = small
    return _mined(digest, list(patterns.values()), unfit)


def _mined(digest: str, patterns: list[_Pattern], unfit: list[Left]) -> Mined:
    able = [each for each in patterns if each.shapes]
    names = numbered([each.name for each in able])
    parts = []
    for name, pattern in zip(names, able, strict=True):
        for part in pattern.shapes.values():
            said = {"pattern": name, "count": str(pattern.count), "model": digest}
            parts.append(_file(part, said))
    counts = tuple((name, each.count) for name, each in zip(names, able, strict=True))
    return Mined(tuple(parts), counts, (*_said(unfit), *_beyond(patterns)))


def _file(part: Part, said: dict[str, str]) -> bytes:
    """A valid model: with the shapes of its outputs."""
    model = onnx.ModelProto()
    model.CopyFrom(part.model)
    for each in model.graph.output:
        each.CopyFrom(
            helper.make_tensor_value_info(
                each.name, part.types[each.name], part.shapes[each.name]
            )
        )
    helper.set_model_props(model, said)
    return bytes(model.SerializeToString(deterministic=True))


def _said(unfit: Iterable[Left]) -> Iterator[str]:
    """A line for all parts with the same operators that are left out for the same reason."""
    places: dict[tuple[str, str], list[str]] = {}
    for each in unfit:
        where = places.setdefault((each.what, each.why), [])
        where += [each.where] if each.where not in where else []
    for (what, why), where in places.items():
        more = f" and {len(where) - 1:,} more" if len(where) > 1 else ""
        yield f"{what} at {where[0]}{more}: {why}"


def _beyond(patterns: Iterable[_Pattern]) -> Iterator[str]:
    """A line for all shapes that are one too many of their pattern."""
    rich = [each for each in patterns if each.beyond]
    if rich:
        total, most = sum(len(each.beyond) for each in rich), max(rich, key=_many)
        yield (
            f"shapes beyond the first {MOST_SHAPES} of a pattern: {total:,}, "
            f"most of them ({_many(most):,}) of {most.name}"
        )


def _many(pattern: _Pattern) -> int:
    return len(pattern.beyond)


def _extracted(plain: Prepared, region: Region) -> onnx.ModelProto:
    """The region as a model of its own."""
    model = onnx.ModelProto(ir_version=plain.model.ir_version)
    model.opset_import.extend(plain.model.opset_import)
    graph = model.graph
    graph.name = "part"
    graph.node.extend(region.nodes)
    read = {name for node in region.nodes for name in node.input if name}
    graph.initializer.extend(each for name, each in plain.constants.items() if name in read)
    for name in region.inputs:
        shape = plain.shapes[name]
        graph.input.append(helper.make_tensor_value_info(name, plain.types[name], shape))
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in region.outputs)
    return model


def _shapes(part: Part) -> tuple[object, ...]:
    """What tells two parts of one pattern apart: the sizes of inputs and of constants."""
    inputs = (part.shapes[name] for name in part.inputs)
    names = dict.fromkeys(name for node in part.model.graph.node for name in node.input)
    constants = (part.constants[name].shape for name in names if name in part.constants)
    return (*inputs, *constants)


def _kept(part: Part) -> Part | None:
    """The part with fewer weights, and its scales for that; None where it stays too large."""
    if any(
        name not in part.shapes
        for node in part.model.graph.node
        for name in node.output
        if name
    ):
        return None
    small = resized(part, kept_sizes(part), 0)
    if small is None:
        return part if part.model.ByteSize() <= MOST_BYTES else None
    factors = shrunk_by(part.model, part.constants, small.constants)
    constants = small.constants | rescaled(small.constants, slots(part), factors)
    model = small.model
    del model.graph.initializer[:]
    model.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in constants.items()
    )
    return part_of(model)


def _trouble(part: Part) -> str:
    """Why no valid cases can be drawn that are like a part; empty where they can."""
    for seed in range(_TRIALS):
        try:
            case = drawn(part, "any", RandomChoices(seed)).case
            onnx.checker.check_model(case.proto(), full_check=True)
            Session(case.model).run(case.inputs)
        except Unsupported:
            continue  # other engines may know it
        except Unshrinkable:
            return "its sizes cannot be made smaller"
        except (
            EngineError,
            onnx.checker.ValidationError,
            onnx.shape_inference.InferenceError,
        ) as error:
            return f"in other sizes it is not valid: {_first_line(error)}"
    return ""


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")
