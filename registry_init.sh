#!/bin/sh
# Start the fleet's registry. The original's script of this name did it; `evc registry up` does now.
evc=$(dirname "$0")/.venv/bin/evc
[ -x "$evc" ] || evc=evc
exec "$evc" registry up "$@"
