"""Cases like a part of a model: other sizes, scales, weights and data; now and then one thing changed."""

from dataclasses import dataclass, replace

import numpy as np
from onnx import helper, numpy_helper

from corpus.case import Case
from generators.choices import Choices
from generators.like.data import values
from generators.like.mutations import CHANGES, MUTATIONS, SHAPES
from generators.like.quantities import shrunk_by, slots, varied
from generators.like.sizes import Part, Resized, Sizes, resized
from generators.like.small import drawn_sizes, fits, is_cheap

ONE_MUTATED_IN = 4
_TRIES = 3


class Unshrinkable(Exception):  # noqa: N818 - it names the property of the part
    """A part that fits together in no small sizes."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A case, and the name of what was changed on purpose; empty where nothing was."""

    case: Case
    mutation: str


def drawn(part: Part, policy: str, choices: Choices) -> Drawn:
    """A case like a part; where no other sizes fit together, in its own.

    Raises:
        Unshrinkable: those are too large.
    """
    mutation = choices.pick(MUTATIONS) if choices.flag(ONE_MUTATED_IN) else ""
    model, is_changed = _shaped(part, mutation, choices)
    where, factors = slots(part), shrunk_by(part.model, part.constants, model.constants)
    constants = {**model.constants, **varied(model.constants, where, factors, choices, policy)}
    if mutation in CHANGES:
        changed = CHANGES[mutation](constants, where, choices)
        is_changed = bool(changed)
        constants |= changed
    case = _case(replace(model, constants=constants), part, choices)
    return Drawn(case, mutation if is_changed else "")


def _shaped(part: Part, mutation: str, choices: Choices) -> tuple[Resized, bool]:
    """The part in drawn sizes, and whether a mutation of sizes was possible."""
    for attempt in range(_TRIES):
        sizes = drawn_sizes(part, choices, smallest=attempt == _TRIES - 1)
        seed = choices.integer(0, 999)
        if mutation in SHAPES:
            found = usable(part, *SHAPES[mutation](part, sizes, choices), seed)
            if found is not None:
                return found, True
        found = usable(part, sizes, 1, seed)
        if found is not None:
            return found, False
    own = usable(part, {}, 1, 0)
    if own is None:
        raise Unshrinkable
    return own, False


def usable(part: Part, sizes: Sizes, batch: int, seed: int) -> Resized | None:
    """The part in these sizes, where they fit together and are small."""
    found = resized(part, sizes, seed, batch=batch)
    return found if found and is_cheap(found) and fits(found) else None


def _case(model: Resized, part: Part, choices: Choices) -> Case:
    proto = model.model
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(array), name)
        for name, array in model.constants.items()
    )
    for output in proto.graph.output:
        shape = model.shapes[output.name]
        output.CopyFrom(
            helper.make_tensor_value_info(output.name, part.types[output.name], shape)
        )
    inputs = {name: values(model, part, name, choices) for name in part.inputs}
    return Case(proto.SerializeToString(deterministic=True), inputs)
