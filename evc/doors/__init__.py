"""One module for each thing outside, the only importer of its library. Doors do not import doors."""
