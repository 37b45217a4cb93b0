"""Estimators of cluster mass: one interface, the classical ones, and those that learn."""
