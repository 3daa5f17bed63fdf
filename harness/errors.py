"""What a person did wrong, said in one line."""


class BadInput(Exception):  # noqa: N818 - it is the user's input that is bad, not an error of ours
    """Bad usage or bad input: one line that says what, where, and what to do."""
