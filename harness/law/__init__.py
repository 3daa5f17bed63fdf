"""The law of a bug: which parameters of a convolution decide whether it shows."""

from harness.law.atoms import Atom
from harness.law.find import Law, find_law

__all__ = ["Atom", "Law", "find_law"]
