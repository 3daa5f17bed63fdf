"""What a worker is asked: cases in order, each with several options."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from corpus.case import Array, Case
from harness.backends import protocol

FILLS = (165, 1, 128)
"""What memory that was given back is filled with; what glibc hands out gets 90, 254 and 127, the others' bits.

It is mostly zeros or what it was before, so that who reads what nobody wrote gives other values. As
integers and as floats these are large, of both signs: where one saturates as zeros do, another does not.
"""


class Batch:
    """Cases in the order they are asked, with the bytes that carry them computed once.

    ``fill`` is what a worker that forks has its memory filled with, one of `FILLS`, or 0: as it is.
    """

    def __init__(self, kind: str, cases: Sequence[Case], fill: int = 0) -> None:
        self.kind, self._cases, self._fill = kind, cases, fill
        self._whole = self._packed(0, len(cases))

    def __len__(self) -> int:
        return len(self._cases)

    def message(
        self,
        options: Sequence[dict[str, str]],
        numbers: range,
        seconds: float,
        at_once: bool,
    ) -> bytes:
        """The request for the answers of these numbers, counted case by case, option by option."""
        first, end = numbers.start // len(options), -(-numbers.stop // len(options))
        is_whole = (first, end) == (0, len(self))
        cases, described, body = self._whole if is_whole else self._packed(first, end)
        header = {
            "kind": self.kind,
            "fill": self._fill,
            "first": first,
            "cases": cases,
            "options": options,
            "numbers": (numbers.start, numbers.stop),
            "seconds": seconds,
            "at_once": at_once,
            "arrays": described,
        }
        return protocol.frame([header], [body])

    def _packed(self, first: int, end: int) -> tuple[list[tuple[int, int]], list[Any], bytes]:
        ranges: list[tuple[int, int]] = []
        arrays: list[tuple[str, Array]] = []
        for case in self._cases[first:end]:
            start = len(arrays)
            arrays.append(("", np.frombuffer(case.model, np.uint8)))
            arrays += case.inputs.items()
            ranges.append((start, len(arrays)))
        return ranges, *protocol.pack(arrays)
