"""Generated data for demonstration and training."""
