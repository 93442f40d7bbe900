# The part of scripts/test that runs in namespaces of its own.
set -euo pipefail
. scripts/lib/say.sh
. scripts/lib/isolate.sh
. scripts/lib/prepare.sh
. scripts/lib/guest-image.sh
private_run
WIDEPLANE_GUEST=$(guest_directory)
export WIDEPLANE_GUEST

# The tests have no network, so the packed tarball is installed before: outside the checkout, as a user would.
if [ $# = 0 ] || [[ " $* " == *package* ]]; then
  say "packing, and installing the package outside the checkout"
  mkdir /run/package
  tarball=$(npm pack --silent --pack-destination /run/package) || fail "npm pack failed"
  export_module_settings
  npm install --silent --prefix /run/package --omit=dev --prefer-offline "/run/package/$tarball" ||
    fail "the packed tarball does not install"
  export WIDEPLANE_PACKAGE=/run/package/node_modules/wideplane
fi

without_network node scripts/run-tests.mjs "$@"
