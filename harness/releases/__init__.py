"""Releases of an engine: environments that have them, and what each makes of a bug."""
