# The part of scripts/run that runs in namespaces of its own.
set -euo pipefail
. scripts/lib/say.sh
. scripts/lib/isolate.sh
private_run
without_network node dist/scripts/lab/main.js "$@"
