"""A worker's reply as the value the rest of the harness works with."""

from typing import Any

from harness.backends.process import Message
from harness.outcome import FusedOp, Refused, Tapped, Values


def outcome(message: Message) -> Values | Refused:
    """The outcome in the reply to ``run``."""
    header, arrays = message
    if header["kind"] == "values":
        return Values(dict(arrays))
    return Refused(header["message"], header["documented"])


def tapped(message: Message) -> Tapped | Refused:
    """What the reply to ``tap`` holds."""
    header, arrays = message
    if header["kind"] != "tapped":
        return Refused(header["message"], header["documented"])
    try:
        return Tapped(
            dict(arrays), _plan(header), str(header["method"]), header["confirmed"] is True
        )
    except (KeyError, TypeError) as error:
        return Refused(f"its tap returned no plan: {error}", documented=True)


def _plan(header: dict[str, Any]) -> tuple[FusedOp, ...]:
    return tuple(
        FusedOp(
            str(each["kind"]),
            str(each["name"]),
            *(tuple(map(str, each[key])) for key in ("nodes", "inputs", "outputs")),
        )
        for each in header["plan"]
    )
