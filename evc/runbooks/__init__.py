"""What an operator would do, top to bottom, written in the doors' calls."""
