"""Which faults explain two answers that do not fit: those whose emulation gives both."""

from collections.abc import Iterable, Mapping

import numpy as np

from corpus.case import Array
from corpus.finding import Match
from engine.faults import Fault
from harness.emulate import Emulator
from harness.partners import Disagreement


def explained(found: Disagreement, profile: str, faults: Iterable[Fault]) -> tuple[Match, ...]:
    """The faults whose emulation gives both answers bit for bit, each once.

    One of the answers may be right: the fault need not show in both.
    """
    answers = (
        (Emulator(found.pair.original, profile), found.original.arrays),
        (Emulator(found.pair.partner, profile), found.partner.arrays),
    )
    total = sum(array.size for _, arrays in answers for array in arrays.values())
    matches: dict[str, Match] = {}
    for each in faults:
        if any(emulator.acts(each) for emulator, _ in answers) and all(
            _is_equal(emulator.outputs(each), arrays) for emulator, arrays in answers
        ):
            matches.setdefault(each.id, Match(each.id, each.title, total, total))
    return tuple(matches.values())


def _is_equal(emulated: Mapping[str, Array], answer: Mapping[str, Array]) -> bool:
    return emulated.keys() == answer.keys() and all(
        array.dtype == answer[name].dtype and np.array_equal(array, answer[name])
        for name, array in emulated.items()
    )
