# Runs a command in namespaces of its own; sourced after say.sh.
#
#   the caller's bash            forwards INT, TERM and HUP, and waits
#     unshare                    is killed with the bash (pdeathsig), kills what it started (--kill-child)
#       bash as process 1        its end ends every process inside, and with them namespaces, devices and mounts
#
# So nothing is left behind, also when the outermost process is killed with SIGKILL. /run is empty and private inside:
# named network namespaces, sockets and state directories live there.

# isolate SCRIPT ARGS..: runs a bash script with mounts and processes of its own and returns its status.
isolate() {
  local job status interrupted
  [ "$(id -u)" = 0 ] || fail "run this as root: it makes network namespaces"
  set -m # a process group of its own, so that a signal reaches everything inside exactly once
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc bash "$@" </dev/null &
  job=$!
  set +m
  trap 'interrupted=1; kill -INT -- "-$job" 2>/dev/null' INT
  trap 'interrupted=1; kill -TERM -- "-$job" 2>/dev/null' TERM HUP
  while :; do # a trapped signal ends `wait` before the job has ended
    interrupted=
    status=0
    wait "$job" || status=$?
    [ -n "$interrupted" ] || break
  done
  trap - INT TERM HUP
  return "$status"
}

# private_run: called once inside. A resolver configuration that lives in /run is carried over.
private_run() {
  local resolver text=
  resolver=$(readlink -f /etc/resolv.conf || true)
  case $resolver in /run/*) text=$(cat "$resolver") ;; esac
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/netns /run/wideplane
  [ -z "$text" ] || { mkdir -p "$(dirname "$resolver")" && printf '%s\n' "$text" >"$resolver"; }
}

# without_network COMMAND ARGS..: called inside, runs a command where there is loopback and nothing else.
without_network() {
  # shellcheck disable=SC2016
  unshare --net -- bash -c 'ip link set lo up && exec "$@"' without_network "$@"
}
