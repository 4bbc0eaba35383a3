"""Edge Vision Cluster: a folder with an AI model and a list of machines become a running fleet."""

__version__ = "0.1.0"
