# How install.sh speaks, and the one door through which it changes the host.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

dry_run=no

step() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
complain() { printf 'install.sh: %s\n' "$*" >&2; }

die() {
  complain "$*"
  exit 1
}

# Every command that changes the host goes through here: it is shown, and in a dry run it is only shown.
change() {
  printf '    $ %s\n' "$*"
  [[ $dry_run == yes ]] || "$@"
}

# change, for a command whose many words are of interest only when it fails.
change_quietly() {
  printf '    $ %s\n' "$*"
  [[ $dry_run == yes ]] && return 0
  local output
  output=$("$@" 2>&1) || {
    printf '%s\n' "$output" >&2
    return 1
  }
}

# Installs SOURCE as TARGET with MODE unless it is there already with the same content and mode;
# sets "changed" to yes when it was not.
put_file() {
  local mode=$1 source=$2 target=$3
  if cmp --silent "$source" "$target" && [[ $(stat --format=%a "$target") == "${mode#0}" ]]; then return 0; fi
  changed=yes
  change install -D --mode="$mode" "$source" "$target"
}

# Points the symbolic link LINK at TARGET in one step: whoever looks sees the old target or the new one.
point_link() {
  local target=$1 link=$2
  if [[ $(readlink "$link" || true) == "$target" ]]; then return 0; fi
  change ln --symbolic --force --no-dereference "$target" "$link.new"
  change mv --no-target-directory "$link.new" "$link"
}
