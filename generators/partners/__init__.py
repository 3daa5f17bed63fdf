"""Metamorphic partners: pairs of cases that must agree, whatever the right answer is."""

from dataclasses import replace

from corpus.case import Case
from generators.choices import Choices
from generators.partners.cells import PARTNERS, cell, partner_cells
from generators.partners.partner import Claim, Pair, Partner
from generators.partners.places import permutation
from generators.partners.surgery import Place, Surgery

__all__ = [
    "PARTNERS",
    "Claim",
    "Pair",
    "Partner",
    "Place",
    "pair_with",
    "partner_cells",
    "partner_of",
]


def pair_with(partner: Partner, case: Case, choices: Choices) -> Pair | None:
    """The case with one kind of partner; None where that does not apply."""
    surgery = Surgery(case)
    if any(each.g.node or each.graphs for n in surgery.graph.node for each in n.attribute):
        return None  # a subgraph reads tensors that nobody sees it read
    places = partner.make(surgery, choices)
    if places is None:
        return None
    made = surgery.case(places)
    if made.digest == case.with_model(case.proto()).digest:
        return None  # data that are alike everywhere
    origin = f"{partner.name}: {case.origin}"
    made = replace(made, origin=origin, cells=(cell(partner.name),))
    return Pair(partner.name, partner.claim, case, made, places)


def partner_of(case: Case, choices: Choices) -> Pair | None:
    """The case with a partner of a drawn kind; None where no kind applies to it."""
    for which in permutation(choices, len(PARTNERS)):
        pair = pair_with(PARTNERS[which], case, choices)
        if pair is not None:
            return pair
    return None
