# Keeps the kernel's threads of a device on one core; sourced. They are seen only from outside of the namespaces that isolate makes.

# pin_napi DEVICE CORE: goes on in the background for as long as the caller lives.
pin_napi() {
  # shellcheck disable=SC2016
  setpriv --pdeathsig KILL bash -c 'while sleep 0.2; do
    for thread in $(pgrep "^napi/$1-"); do taskset -pc "$2" "$thread"; done
  done' pin_napi "$1" "$2" </dev/null >/dev/null 2>&1 &
}
