"""The case that a finding's folder keeps, as the campaign knew it."""

from pathlib import Path

from corpus import store
from corpus.case import Array, Case
from corpus.load import InputError
from generators.illegal import BREACHES, as_broken
from harness.wording import NOT_VALID


def read_kept(folder: Path, signature: str) -> tuple[Case, dict[str, dict[str, Array]]]:
    """The case of a folder, and its other arrays by role and tensor name.

    A model that was broken on purpose, in the way that the finding's ``signature`` says, need not
    be a valid one; everything else is asked of it.

    Raises:
        InputError: as `store.load`; or nothing breaks a model in that way.
    """
    cause = signature.rpartition(" | ")[2]
    if not cause.startswith(NOT_VALID):
        return store.load(folder)
    breach = cause.removeprefix(NOT_VALID)
    if breach not in BREACHES:
        raise InputError(f"{folder}: no model was broken like this: {breach!r}")
    case, arrays = store.load(folder, valid=False)
    return as_broken(breach, case), arrays
