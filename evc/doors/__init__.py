"""A module for each thing outside, the only importer of its library. No door uses another."""
