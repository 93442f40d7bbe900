# Progress and errors of the scripts; sourced.

say() { printf '==> %s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# usage FILE: the comment at the head of a script says how it is called.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"; }
