"""A backend in every bad mood there is, as ``tests.hostile:Hostile:folder=DIR``.

Its mood depends on the case alone, so that a test knows what must become of each. ``folder`` is
where it remembers, across its deaths, what it has done once.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.case import Case
from engine import Session

Arrays = dict[str, npt.NDArray[Any]]
WRONG = "wrong-type-or-shape"
LEAK_BYTES = 100 << 20
GOOD_TIMES = 84  # seven cases in eight are treated well

_leaked: list[bytearray] = []
_calls = count()


def _raises(answer: Arrays) -> Arrays:
    raise RuntimeError("in a bad mood")


def _exits(answer: Arrays) -> Arrays:
    os._exit(3)


def _segfaults(answer: Arrays) -> Arrays:
    ctypes.string_at(0)
    return answer


def _hangs(answer: Arrays) -> Arrays:
    time.sleep(3600)
    return answer


def _leaks(answer: Arrays) -> Arrays:
    _leaked.append(bytearray(b"x") * LEAK_BYTES)
    return answer


def _nan(answer: Arrays) -> Arrays:
    return {name: np.full(each.shape, np.nan, np.float32) for name, each in answer.items()}


def _shape(answer: Arrays) -> Arrays:
    return {name: each.reshape(*each.shape, 1) for name, each in answer.items()}


def _name(answer: Arrays) -> Arrays:
    return {f"{name}_0": each for name, each in answer.items()}


def _dtype(answer: Arrays) -> Arrays:
    return {name: each.astype(np.float64) for name, each in answer.items()}


def _other_values_each_time(answer: Arrays) -> Arrays:
    add = 1 + (os.getpid() + next(_calls)) % 99  # never 0, never twice in a row
    return {name: (each + add).astype(each.dtype) for name, each in answer.items()}


def _dies_once(answer: Arrays) -> Arrays:
    return answer


def _good(answer: Arrays) -> Arrays:
    return answer


MOODS: dict[str, tuple[Callable[[Arrays], Arrays], frozenset[str]]] = {
    "good": (_good, frozenset({"exact", "tie"})),
    "raises": (_raises, frozenset({"refused"})),
    "exits": (_exits, frozenset({"crashed"})),
    "segfaults": (_segfaults, frozenset({"crashed"})),
    "hangs": (_hangs, frozenset({"timed-out"})),
    "leaks": (_leaks, frozenset({"exact", "tie"})),
    "nan": (_nan, frozenset({"nonfinite", WRONG})),
    "shape": (_shape, frozenset({WRONG})),
    "name": (_name, frozenset({WRONG})),
    "dtype": (_dtype, frozenset({WRONG})),
    "other values each time": (_other_values_each_time, frozenset({"nondeterministic"})),
    "dies once": (_dies_once, frozenset({"nondeterministic"})),
}


def mood_of(case: Case) -> str:
    """Mostly good."""
    moods = [*MOODS, *["good"] * GOOD_TIMES]
    return moods[int(case.digest[:8], 16) % len(moods)]


class Hostile:
    """The right answer, spoilt as its mood is."""

    def run(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> Arrays:
        case = Case(model, inputs)
        mood = mood_of(case)
        mark = Path(options["folder"], case.digest)
        if mood == "dies once" and not mark.exists():
            mark.touch()
            print("for the first time", file=sys.stderr, flush=True)
            os.abort()
        spoil, _ = MOODS[mood]
        return spoil(dict(Session(model).run(inputs)))
