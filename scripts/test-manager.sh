#!/bin/bash
# `npm run test:manager [-- OPTIONS]`: a real Backend.AI Manager drives the agent; see test/manager/README.md.
# Exit status 1 if a flow failed, 3 if this machine can't have the Manager.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd -P)
python=$("$root/test/manager/install.sh" | tail -n 1)
# Built before anything is timed.
"${PROJECT:-$root}/backend.ai" ag --help >/dev/null
exec "$python" -E -s -B "$root/test/manager/main.py" "$@"
