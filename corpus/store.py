"""Keeps a case in a folder: ``model.onnx`` and one ``<role>_<name>.npy`` for each array.

Names of tensors are untrusted text. A file's name quotes them (``a/b`` becomes ``a%2Fb``), which
can be undone; a long name is cut and marked with its digest, and is found again in the model.
"""

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
from onnx import ModelProto

from corpus.case import Array, Case
from corpus.load import InputError, load_array, load_model, load_npy, typed

ROLES = ("input", "expected", "allowed_low", "allowed_high", "actual")
LONGEST_NAME = 80

Arrays = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a folder holds: a case, arrays by role and name, and text files."""

    case: Case
    arrays: Arrays
    files: Mapping[str, str]


def file_name(role: str, name: str) -> str:
    """The file of one tensor's array in one role; different names never share a file."""
    quoted = quote(name, safe="")
    if len(quoted) > LONGEST_NAME:
        quoted = f"{quoted[:LONGEST_NAME]}~{sha256(name.encode()).hexdigest()[:16]}"
    return f"{role}_{quoted}.npy"


def save(
    folder: Path,
    case: Case,
    arrays: Arrays | None = None,
    *,
    files: Mapping[str, str] | None = None,
    inner: Mapping[str, Contents] | None = None,
) -> None:
    """Write a case, arrays by role and name, and text files; the folder appears whole or not at all.

    ``inner`` are folders in it.

    Raises:
        FileExistsError: there is such a folder already.
        ValueError: a role is unknown, or the name of a file or folder is not a plain one.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists; name a folder that does not, or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        part.chmod(0o755)
        _write(part, Contents(case, arrays or {}, files or {}))
        for name, contents in (inner or {}).items():
            _require_plain(name)
            (part / name).mkdir()
            _write(part / name, contents)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part)
        raise


def _write(folder: Path, contents: Contents) -> None:
    case = contents.case
    (folder / "model.onnx").write_bytes(case.model)
    for role, by_name in {**contents.arrays, "input": case.inputs}.items():
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}, expected one of {', '.join(ROLES)}")
        for name, array in by_name.items():
            np.save(folder / file_name(role, name), plain(array), allow_pickle=False)
    for name, text in contents.files.items():
        _require_plain(name)
        (folder / name).write_text(text, encoding="utf-8")


def plain(array: Array) -> Array:
    """The array as numpy alone can read it: of types that are not its own, the bytes."""
    return array.view(f"V{array.itemsize}") if is_foreign(array) else array


def is_foreign(array: Array) -> bool:
    """Whether numpy's own types lack that of the array, as they lack 8-bit floats and 4-bit codes."""
    return array.dtype.isbuiltin == 2


def _require_plain(name: str) -> None:
    if Path(name).name != name:
        raise ValueError(f"{name!r} is not a plain file name")


def load(folder: Path, *, valid: bool = True) -> tuple[Case, dict[str, dict[str, Array]]]:
    """The case of a folder, and its other arrays by role and tensor name.

    Unless ``valid`` the standard may forbid the model, and its inputs need not fit it.

    Raises:
        InputError: a file is missing, is not what it should be, or does not fit the model.
    """
    path = folder / "model.onnx"
    model = load_model(path, valid=valid)
    arrays: dict[str, dict[str, Array]] = {role: {} for role in ROLES}
    for file in sorted(folder.glob("*.npy")):
        role, name = _role_and_name(file, model)
        must_fit = role == "input" and valid
        arrays[role][name] = load_array(file, model, name) if must_fit else load_npy(file)
    inputs = arrays.pop("input")
    values = {each.name: each for each in (*model.graph.input, *model.graph.output)}
    for by_name in (inputs, *arrays.values()):
        for name in by_name.keys() & values.keys():
            by_name[name] = typed(by_name[name], values[name])
    return Case(path.read_bytes(), inputs, origin=folder.name), arrays


def _role_and_name(file: Path, model: ModelProto) -> tuple[str, str]:
    for role in ROLES:
        if file.stem.startswith(f"{role}_"):
            quoted = file.stem.removeprefix(f"{role}_")
            if len(quoted) <= LONGEST_NAME:
                return role, unquote(quoted)
            names = (
                name for name in _tensor_names(model) if file_name(role, name) == file.name
            )
            if (name := next(names, None)) is not None:
                return role, name
    raise InputError(f"{file} belongs to no tensor of the model; roles are {', '.join(ROLES)}")


def _tensor_names(model: ModelProto) -> Iterable[str]:
    yield from (each.name for each in model.graph.input)
    for node in model.graph.node:
        yield from node.output
