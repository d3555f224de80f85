# Output of install.sh, and the functions through which every change to the host is made.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

dry_run=no

step() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
error() { printf 'install.sh: %s\n' "$*" >&2; }

die() {
  error "$*"
  exit 1
}

usage_error() {
  error "$1; see ./install.sh --help."
  exit 64
}

# Runs a command that changes the host: it is printed, and in a dry run only printed.
run() {
  printf '    $ %s\n' "$*"
  [[ $dry_run == yes ]] || "$@"
}

# Like run, for a command whose output matters only when it fails.
run_quietly() {
  printf '    $ %s\n' "$*"
  [[ $dry_run == yes ]] && return 0
  local output
  output=$("$@" 2>&1) || {
    printf '%s\n' "$output" >&2
    return 1
  }
}
