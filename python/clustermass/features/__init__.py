"""From particles and catalogues to model input."""
