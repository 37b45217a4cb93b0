"""Networks as torch modules: published ones by name, and ours. They know tensors only: no files, no catalogues."""
