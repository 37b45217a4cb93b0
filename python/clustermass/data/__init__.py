"""Readers, generated data and data files; the only room, with units.py, that converts units."""
