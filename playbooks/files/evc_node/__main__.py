"""EVC's program on a node: `python3 evc_node.pyz COMMAND`, for those below.

One zip of plain Python >= 3.8, standard library only. Reads its orders as JSON, on stdin or in a
file that is named last, and answers with JSON lines on stdout. Runs as the user `evc`; `install`
and `insecure`, at registration, as root.
"""

import importlib
import sys

# Command → its module and function. Only that module is loaded: small boards compile slowly.
COMMANDS = {
    "probe": ("probe", "main"),
    "swap": ("swap", "main"),
    "pull": ("swap", "pull"),
    "settings": ("settings", "main"),
    "context": ("context", "main"),
    "keep": ("context", "keep"),
    "build": ("build", "main"),
    "clear": ("clear", "main"),
    "follow": ("follow", "main"),
    "insecure": ("insecure", "main"),
    "install": ("install", "main"),
    "trust": ("trust", "main"),
    "sample": ("sampling", "main"),
    "watch": ("watch", "main"),
}

if __name__ == "__main__":
    module, function = COMMANDS[sys.argv[1]]
    sys.exit(getattr(importlib.import_module(module), function)(sys.argv[2:]))
