"""What surrounds one operator of the node families."""
