"""Our engine in the profile of another engine against that engine itself, bit for bit."""
