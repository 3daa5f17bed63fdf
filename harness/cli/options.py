"""Options that several commands share, and what they turn into."""

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

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


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
        type=click.FloatRange(min=0.01),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="An engine that takes longer for one case hangs.",
    )


@contextmanager
def open_bench(
    names: Sequence[str], timeout: float, *, variants: bool
) -> Iterator[tuple[Bench, tuple[tuple[str, str], ...]]]:
    """The bench for the backends named, or for every one that is available; and those that are not.

    Raises:
        BadInput: a backend that was named is unknown or cannot be used.
    """
    specs = [parse(name) for name in names]
    with Pool(timeout=timeout) as pool:
        skipped: tuple[tuple[str, str], ...] = ()
        if not specs:
            specs, skipped = _available(pool)
        plain = tuple(each for each in with_variants(specs) if variants or each.spec in specs)
        yield set_up(pool, plain), skipped


def _available(pool: Pool) -> tuple[list[BackendSpec], tuple[tuple[str, str], ...]]:
    specs, skipped = [], []
    for name in catalogue.names():
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
    given = dict(_read_input(model, each) for each in inputs)
    drawn = random_inputs(model, seed, given=given)
    return Case(model.SerializeToString(), {**drawn, **given}, origin=f"{Path(path).name}")


def _read_input(model: onnx.ModelProto, text: str) -> tuple[str, Array]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise BadInput(f"--input {text!r} is not of the form NAME=FILE.npy")
    return name, load_array(Path(file), model, name)


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
    if Path(out).exists():
        raise BadInput(f"--out {out} exists; name a folder that does not, or remove it")
    return Path(out)


def as_list(array: Array) -> list[Any]:
    """A numpy array as plain JSON types."""
    values: list[Any] = np.asarray(array).tolist()
    return values
