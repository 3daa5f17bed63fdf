"""The parts of a user's model, kept with the run that draws cases like them.

``DIR/like/`` holds a small ONNX file for each shape of each pattern, and ``patterns.json`` for
people: how often each pattern is in the model, and what of the model is not varied.
"""

import json
from pathlib import Path

from corpus.load import load_model
from generators.like import Mined
from harness.errors import BadInput

LIKE = "like"
"""The family of such a run, and the folder in it."""


def keep(out: Path, mined: Mined) -> None:
    """Write the parts into the folder of a run."""
    folder = out / LIKE
    folder.mkdir()
    for number, part in enumerate(mined.parts):
        (folder / f"{number:04}.onnx").write_bytes(part)
    told = {"patterns": dict(mined.patterns), "left": list(mined.left)}
    (folder / "patterns.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def kept(out: Path) -> tuple[bytes, ...]:
    """The parts of a run, in their order.

    Raises:
        BadInput: there are none, or one is not what was written.
        InputError: one is no valid model any more.
    """
    paths = sorted((out / LIKE).glob("*.onnx"))
    models = [load_model(path) for path in paths]
    for path, model in zip(paths, models, strict=True):
        if not {"pattern", "model"} <= {each.key for each in model.metadata_props}:
            raise BadInput(f"{path} is no part that quantdiff wrote; start a new run")
    if not paths:
        raise BadInput(f"{out / LIKE} holds no parts of a model; start a new run")
    return tuple(path.read_bytes() for path in paths)
