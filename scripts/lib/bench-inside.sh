# The part of scripts/bench that runs in namespaces of its own.
set -euo pipefail
. scripts/lib/say.sh
. scripts/lib/isolate.sh
private_run
without_network node --enable-source-maps dist/test/bench/main.js "$@"
