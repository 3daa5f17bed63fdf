"""What surrounds a convolution."""
