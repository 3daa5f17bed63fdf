"""Ways to break a model: each a function that changes a parsed model, false where it finds no place."""
