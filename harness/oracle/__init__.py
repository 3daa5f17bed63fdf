"""The exact judge: what a correct implementation may return, and the verdict on what one did.

Written from the ONNX text in plain float64; shares nothing with ``engine``. There is no tolerance
to set: ``bounds`` derives every interval from the model and its data.
"""

from harness.oracle.evaluate import Oracle
from harness.oracle.values import Allowed, Silent
from harness.oracle.verdict import Verdict, is_outside, judge

__all__ = ["Allowed", "Oracle", "Silent", "Verdict", "is_outside", "judge"]
