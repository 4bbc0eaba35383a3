"""Every figure EVC is proud of, each against its peer in the same run."""
