"""``partner/`` in a finding's folder: the case whose answer must fit, and how it must.

It holds ``model.onnx``, ``input_<name>.npy``, ``actual_<name>.npy`` (the backend's answer) and
``partner.json``: the kind of partner, what it claims, and by output where its elements lie in the
answer to the finding's own case.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from corpus import store
from corpus.case import Array, Case
from corpus.load import InputError
from corpus.store import Contents
from generators.partners import Claim, Pair, Place
from harness.partners import Disagreement

FOLDER, FILE = "partner", "partner.json"
LARGEST = 1 << 24  # bytes of the JSON file


def contents_of(found: Disagreement) -> Contents:
    """The folder for two answers that do not fit."""
    pair = found.pair
    document = {
        "name": pair.name,
        "claim": pair.claim,
        "places": {name: asdict(place) for name, place in pair.places.items()},
    }
    files = {FILE: json.dumps(document, indent=2) + "\n"}
    return Contents(pair.partner, {"actual": found.partner.arrays}, files)


def read_pair(folder: Path, case: Case) -> Pair | None:
    """The case of a finding's folder with its partner; None where it has none.

    Raises:
        InputError: the partner's folder is damaged.
    """
    path = folder / FOLDER / FILE
    if not path.is_file():
        return None
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path} is larger than {LARGEST:,} bytes")
    partner, theirs = store.load(folder / FOLDER)
    _, ours = store.load(folder)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        places = {name: _place(each) for name, each in document["places"].items()}
        name, claim = str(document["name"]), document["claim"]
        _require_fit(claim, places, ours["actual"], theirs["actual"])
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    return Pair(name, claim, case, partner, places)


def _place(document: Mapping[str, Any]) -> Place:
    axis, indices, axes = (document[each] for each in ("axis", "indices", "axes"))
    numbers = [axis, *(indices or ()), *(axes or ())]
    if any(type(each) is not int for each in numbers):
        raise TypeError("a place is not made of whole numbers")
    return Place(
        axis,
        None if indices is None else tuple(indices),
        None if axes is None else tuple(axes),
    )


def _require_fit(
    claim: object,
    places: Mapping[str, Place],
    ours: Mapping[str, Array],
    theirs: Mapping[str, Array],
) -> None:
    if claim not in get_args(Claim):
        raise ValueError(f"unknown claim {claim!r}")
    for name, place in places.items():
        shape = place.of(ours[name]).shape
        if name in theirs and theirs[name].shape != shape:
            raise ValueError(f"{name!r} is of another shape than its places")
