"""A generated periodic box of haloes and galaxies, from published relations (docs/mock-universe.md)."""
