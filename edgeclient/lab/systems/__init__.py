"""Emulators of products, one file each: they refuse what the product's documentation refuses. Emulated, and strict."""
