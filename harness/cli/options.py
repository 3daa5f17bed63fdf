"""Options that several commands share, and what they turn into."""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx

from corpus.case import Array, Case
from corpus.load import load_array, load_model, random_inputs
from harness.backends import catalogue
from harness.backends.description import Unavailable
from harness.backends.pool import Pool
from harness.backends.spec import BackendSpec, parse
from harness.bench import Bench, set_up, with_variants
from harness.errors import BadInput
from harness.oracle import Oracle, Silent

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Seconds(click.ParamType[float]):
    """A time limit from 0.01 to 3600 seconds."""

    name = "seconds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; anything else, also NaN, is bad usage."""
        try:
            seconds = float(str(value))
        except ValueError:
            seconds = 0.0
        if not 0.01 <= seconds <= 3600:
            self.fail(f"{value!r} is not a number of seconds from 0.01 to 3600", param, ctx)
        return seconds


def backend_option(*, required: bool = False) -> Decorator:
    """``-b NAME[:k=v,...][@PYTHON]``, any number of times."""
    return click.option(
        "-b",
        "--backend",
        "backends",
        multiple=True,
        required=required,
        metavar="B",
        help="A backend: NAME[:k=v,...][@PYTHON] or package.module:function; repeatable.",
    )


def input_option() -> Decorator:
    """``--input NAME=FILE.npy``, any number of times."""
    return click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="NAME=FILE.npy",
        help="An input of the model; those not given are drawn at random.",
    )


def timeout_option() -> Decorator:
    """``--timeout SECONDS`` for one answer of one backend."""
    return click.option(
        "--timeout",
        type=Seconds(),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="An engine that takes longer for one case hangs.",
    )


def seed_option() -> Decorator:
    """``--seed S`` of the inputs that are not given."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="S",
        help="For inputs not given.",
    )


def json_option(shown: str = "One JSON document on stdout, nothing else.") -> Decorator:
    """``--json``, in the words of the command."""
    return click.option("--json", "as_json", is_flag=True, help=shown)


@contextmanager
def open_bench(
    names: Sequence[str], timeout: float, *, variants: bool
) -> Iterator[tuple[Bench, tuple[tuple[str, str], ...]]]:
    """The bench for the backends named, or for every one that is available; and those that are not.

    Raises:
        BadInput: a backend that was named is unknown or cannot be used.
    """
    with Pool(timeout=timeout) as pool:
        specs, skipped = chosen(pool, names)
        plain = tuple(each for each in with_variants(specs) if variants or each.spec in specs)
        yield set_up(pool, plain), skipped


def chosen(
    pool: Pool, names: Sequence[str]
) -> tuple[list[BackendSpec], tuple[tuple[str, str], ...]]:
    """The backends named, or else every one that is available; and those that are not, with why.

    Raises:
        BadInput: a name means no backend.
    """
    if names:
        return [parse(name) for name in names], ()
    specs, skipped = [], []
    for name in catalogue.runnable():
        answer = pool.describe(BackendSpec(name))
        if isinstance(answer, Unavailable):
            skipped.append((name, answer.reason))
        else:
            specs.append(BackendSpec(name))
    return specs, tuple(skipped)


def read_case(path: str, inputs: Sequence[str], seed: int) -> Case:
    """The case of a model file and ``NAME=FILE.npy`` pairs; missing inputs are drawn from ``seed``.

    Raises:
        InputError: a file is missing, is not what it should be, or does not fit the model.
        BadInput: an option is malformed.
    """
    model = load_model(Path(path))
    named = [_read_input(model, each) for each in inputs]
    given = dict(named)
    if len(given) < len(named):
        raise BadInput("--input: an input is given twice; give it once")
    drawn = random_inputs(model, seed, given=given)
    return Case(model.SerializeToString(), {**drawn, **given}, origin=f"{Path(path).name}")


def _read_input(model: onnx.ModelProto, text: str) -> tuple[str, Array]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise BadInput(f"--input {text!r} is not of the form NAME=FILE.npy")
    array = load_array(Path(file), model, name)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BadInput(f"{file} holds NaN or infinity, of which no int8 code is the right one")
    return name, array


def fresh_seed() -> int:
    """A seed for a person who gave none; it is printed, so that the run can be repeated."""
    return random.SystemRandom().randrange(1 << 20)


def free_folder(out: str | None) -> Path:
    """The folder a run writes to: ``out``, ``out-2``, ... unless one is named; it must not exist.

    Raises:
        BadInput: the folder that was named exists.
    """
    if out is None:
        numbered = (Path("out" if n == 1 else f"out-{n}") for n in range(1, 10**6))
        return next(path for path in numbered if not path.exists())
    return free_place("--out", out)


def free_place(option: str, name: str) -> Path:
    """The path of a file or folder that can be made, told before the work rather than after it.

    Raises:
        BadInput: it exists, or there is no place for it.
    """
    path = Path(name)
    try:
        if path.exists() or path.is_symlink():
            raise BadInput(f"{option} {name} exists; name one that does not, or remove it")
        place = next(each for each in path.absolute().parents if each.exists())
    except OSError as error:
        raise BadInput(f"{option} {name} cannot be made: {error.strerror}") from error
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise BadInput(f"{option} {name} cannot be made: {place} is no folder to write to")
    return path


def must_be_judged(case: Case, path: str) -> None:
    """Refuse a model that the oracle cannot judge, in one line."""
    try:
        Oracle(case.proto()).allowed(case.inputs)
    except Silent as silent:
        raise BadInput(f"{path}: {silent}") from silent
