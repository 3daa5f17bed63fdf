"""One package per operator family: its parameters, their ranges, and models made of them."""
