# Installs what is missing and builds; sourced from the top of the checkout after say.sh.

# Each line: a Debian package, and what it brings: programs, or files by their absolute path. With for_benchmarks set, the peers
# of benchmarks as well.
requirements() {
  cat <<'LIST'
build-essential make cc
libc6-dev /usr/include/stdio.h
libpcap-dev /usr/include/pcap.h
linux-libc-dev /usr/include/linux/if_packet.h
util-linux unshare setpriv flock
procps sysctl
iproute2 ip bridge
iputils-ping ping
iputils-tracepath tracepath
traceroute traceroute
ethtool ethtool
nftables nft
python3 /usr/bin/python3
libxml2-utils xmllint
iperf3 iperf3
socat socat
tcpdump tcpdump
tshark tshark
tcpreplay tcpreplay
openvswitch-switch ovs-vswitchd ovsdb-server ovsdb-tool ovs-vsctl ovs-appctl
python3-scapy /usr/lib/python3/dist-packages/scapy/contrib/etherip.py
qemu-system-x86 qemu-system-x86_64
seabios /usr/share/seabios/bios-256k.bin
busybox-static busybox
kmod modprobe depmod
cpio cpio
tmux tmux
less less
strace strace
bind9 named
bind9-utils named-checkzone named-compilezone
bind9-dnsutils dig
knot knotd
knot-dnsutils kdig
ldnsutils drill
openssl openssl
openssh-server sshd
openssh-client ssh ssh-keygen
gnutls-bin gnutls-cli
testssl.sh testssl
openssh-client ssh ssh-keygen
openssh-server /usr/sbin/sshd
libmaxmind-db-writer-perl /usr/share/doc/libmaxmind-db-writer-perl
mmdb-bin mmdblookup
gdnsd gdnsd
nginx-light nginx
prometheus promtool prometheus
charon-systemd charon-systemd
strongswan-swanctl swanctl
libcharon-extra-plugins /usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so
libstrongswan-standard-plugins /usr/lib/ipsec/plugins/libstrongswan-openssl.so
LIST
  [ -z "${for_benchmarks:-}" ] || cat <<'LIST'
dnsperf dnsperf
nsd nsd
wireguard-go wireguard-go
wireguard-tools wg
LIST
  # There is none elsewhere.
  [ "$(uname -m)" != x86_64 ] || echo "libipsec-mb-dev /usr/include/intel-ipsec-mb.h"
}

missing_packages() {
  local package things thing
  while read -r package things; do
    for thing in $things; do
      command -v "$thing" >/dev/null || [ -e "$thing" ] || { printf '%s ' "$package" && break; }
    done
  done < <(requirements)
}

# Name servers and the like are for tests, in namespaces of theirs: the package manager starts none on this machine
# (invoke-rc.d(8)), unless somebody has said already what it may start.
without_services() (
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  "$@"
)

install_packages() {
  local missing
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null ||
    fail "these Debian packages are missing, and there is no apt-get to install them: $missing"
  say "installing Debian packages: $missing"
  local log
  log=$(mktemp)
  # shellcheck disable=SC2086
  if ! { apt-get update -q && without_services apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install: $missing (all of its output is in $log)"
  fi
  rm -f "$log"
  missing=$(missing_packages)
  [ -z "$missing" ] || fail "installed, but still not usable: $missing"
}

require_node() {
  command -v node >/dev/null ||
    fail "Node.js is missing: install version 20.19 or later (24 is recommended), Debian's own nodejs is too old"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js $(node -v) is too old: install version 20.19 or later (24 is recommended)"
  command -v npm >/dev/null || fail "npm is missing: it comes with Node.js (in Debian, with the package npm)"
}

# For the packages cap and raw-socket: their compiler finds the headers that came with Node.js instead of downloading them,
# and leaves out the assertions by which a link that goes down would end the process (docs/decisions/cap.md).
export_module_settings() {
  npm_package_config_node_gyp_nodedir=$(node -p 'require("path").resolve(process.execPath, "../..")')
  export npm_package_config_node_gyp_nodedir
  export CXXFLAGS=-DNDEBUG
}

install_modules() {
  export_module_settings
  if ! node scripts/lib/modules-fresh.mjs; then
    say "npm ci"
    npm ci --no-progress || fail "npm ci could not install the dependencies: see its output above"
  fi
  # Somebody may have run npm without those settings.
  local cap=node_modules/cap/build/Release/cap.node
  if [ ! -e "$cap" ] || grep -q 'status == 0' "$cap"; then
    say "npm rebuild cap"
    npm rebuild cap || fail "the package cap does not build: see its output above"
  fi
  if [ ! -e node_modules/raw-socket/build/Release/raw.node ]; then
    say "npm rebuild raw-socket"
    npm rebuild raw-socket || fail "the package raw-socket does not build: see its output above"
  fi
}

# prepare: everything up to a built tree.
prepare() {
  require_node
  install_packages
  install_modules
  say "building native code"
  npm run --silent build:native || fail "the native code does not build: see the compiler's output above"
  say "building TypeScript"
  npm run --silent build:ts || fail "TypeScript does not build: see the compiler's output above"
}
