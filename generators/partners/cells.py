"""Coverage cells of partners: which kinds the cases of a family can have."""

from collections.abc import Mapping
from types import MappingProxyType

from generators.partners.forms import FORMS
from generators.partners.places import PLACES
from generators.partners.sums import SUMS

PARTNERS = (*PLACES, *SUMS, *FORMS)
_EVERYTHING = frozenset(each.name for each in PARTNERS)
_SAMPLES = frozenset({"one sample alone", "samples reversed"})
_FILTERS = frozenset({"filters permuted", "fewer filters", "channels permuted"})
_SHIFTED, _SWAPPED = "zero point shifted with the data", "operands swapped"
_REORDERED, _ONE_GROUP = "parts of a Concat reordered", "one group alone"
_ADDED, _FORM = "channels of zeros added", "in Q/DQ form"

_KINDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "conv": _EVERYTHING - {_SWAPPED, _REORDERED},
        "matmul": _FILTERS | {_ADDED, _FORM, _SHIFTED, _SWAPPED},
        "elementwise": _SAMPLES | {_SHIFTED, _SWAPPED},
        "pool": _SAMPLES | {_SHIFTED},
        "movement": frozenset({_SHIFTED, _REORDERED}),
        "blockwise": _SAMPLES | _FILTERS | {_SHIFTED, _SWAPPED},
        "graphs": _EVERYTHING - {_ONE_GROUP},
        "all": _EVERYTHING,
    }
)


def cell(name: str) -> str:
    """The cell of a kind of partner."""
    return f"partner {name}"


def partner_cells(family: str) -> tuple[str, ...]:
    """The cells that the partners of a family's cases reach."""
    return tuple(cell(each.name) for each in PARTNERS if each.name in _KINDS[family])
