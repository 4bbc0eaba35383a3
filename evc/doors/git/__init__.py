"""Fetching projects with git, and asking a checkout for its commit.

What is fetched is hostile until shown otherwise: no hook, filter, submodule or helper of a
repository runs, and none of the user's settings but those that say how to log in.
"""

from __future__ import annotations

from evc.doors.git.checkout import commit_of
from evc.doors.git.fetching import Limits, fetch

__all__ = ["Limits", "commit_of", "fetch"]
