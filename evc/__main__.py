"""`python -m evc` is `evc`."""

from evc.cli import main

main()
