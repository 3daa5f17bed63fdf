"""The version under which an engine was installed."""

from __future__ import annotations

from importlib import metadata


def version(*distributions: str) -> str:
    """That of the first distribution that is installed; empty where it runs from a checkout."""
    for each in distributions:
        try:
            return metadata.version(each)
        except metadata.PackageNotFoundError:
            continue
    return ""
