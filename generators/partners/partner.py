"""What a partner is: another case that must give the same answer, and why it must."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from corpus.case import Case
from generators.choices import Choices
from generators.partners.surgery import Place, Surgery

Claim = Literal["places", "sums", "form"]
"""What an implementation must do for the answers to be the same bit for bit.

``places``: every element is made from the same operands in the same order; only where it lies
differs. Whoever computes an element from its operands alone gives the same.
``sums``: the terms of a sum come in another order, or terms of zero are added. Integer sums that
fit their accumulator are the same in every order, and what follows sees nothing else.
``form``: other operators say the same. Nothing but the oracle's sets binds the two.
"""

Places = Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class Partner:
    """A way to make partners. ``make`` edits the case, and returns None where it does not apply."""

    name: str
    claim: Claim
    make: Callable[[Surgery, Choices], Places | None]


@dataclass(frozen=True, slots=True)
class Pair:
    """A case and its partner; ``places`` say for outputs that differ where they lie in the original's."""

    name: str
    claim: Claim
    original: Case
    partner: Case
    places: Places
