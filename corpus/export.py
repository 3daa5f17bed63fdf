"""Writes a case in the form in which an engine's own test suite keeps cases."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from corpus.case import Array, Case
from corpus.store import plain


def export_opencv(
    root: Path, name: str, case: Case, outputs: Mapping[str, Array]
) -> tuple[Path, ...]:
    """OpenCV's ONNX fixture: a model, its inputs and its output, under ``root``.

    ``models/<name>.onnx``, ``data/input_<name>.npy`` (``input_<name>_<i>.npy`` for several inputs,
    in the graph's order) and ``data/output_<name>.npy``.

    Returns:
        The files, the model first.

    Raises:
        ValueError: the name is no identifier, or there is not exactly one output.
    """
    if not name.isidentifier():
        raise ValueError(f"fixture name {name!r} is not an identifier")
    if len(outputs) != 1:
        raise ValueError(
            f"a fixture has one output, the case has {', '.join(outputs) or 'none'}"
        )
    ordered = [each.name for each in case.proto().graph.input if each.name in case.inputs]
    numbers = [""] if len(ordered) == 1 else [f"_{i}" for i in range(len(ordered))]
    arrays = {
        root / "data" / f"input_{name}{number}.npy": case.inputs[each]
        for number, each in zip(numbers, ordered, strict=True)
    }
    arrays |= {root / "data" / f"output_{name}.npy": array for array in outputs.values()}
    model = root / "models" / f"{name}.onnx"
    for folder in (model.parent, root / "data"):
        folder.mkdir(parents=True, exist_ok=True)
    model.write_bytes(case.model)
    for path, array in arrays.items():
        np.save(path, plain(array), allow_pickle=False)
    return (model, *arrays)
