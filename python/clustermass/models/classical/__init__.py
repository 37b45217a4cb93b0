"""The estimators that need no learning: one published method or relation a file."""
