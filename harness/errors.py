"""What a person did wrong, said in one line."""


class BadInput(Exception):  # noqa: N818 - it is the user's input that is bad, not an error of ours
    """Bad usage or bad input: one line that says what, where, and what to do."""


class DivergenceError(AssertionError):
    """A test's backend computed something that its model does not say; the findings, in words."""
