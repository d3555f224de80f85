# Files and links: written in one step, and only if they differ.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

# Installs SOURCE as TARGET with MODE unless TARGET already has that content and mode; sets "changed" if it does not.
put_file() {
  local mode=$1 source=$2 target=$3
  if cmp --silent "$source" "$target" && [[ $(stat --format=%a "$target") == "${mode#0}" ]]; then return 0; fi
  changed=yes
  run install -D --mode="$mode" "$source" "$target"
}

# Points the symbolic link LINK at TARGET atomically: a reader sees the old target or the new one.
point_link() {
  local target=$1 link=$2
  if [[ $(readlink "$link" || true) == "$target" ]]; then return 0; fi
  run ln --symbolic --force --no-dereference "$target" "$link.new"
  run mv --no-target-directory "$link.new" "$link"
}

# Replaces the content of FILE by standard input atomically; mode, owner and label stay.
replace_content() {
  local file
  file=$(readlink --canonicalize "$1")
  if [[ $dry_run == yes ]]; then
    cat >/dev/null
    return 0
  fi
  [[ ! -e $file ]] || cp --preserve=all "$file" "$file.imgpipe-new"
  cat >"$file.imgpipe-new"
  sync "$file.imgpipe-new"
  mv --no-target-directory "$file.imgpipe-new" "$file"
}

remove() {
  local path
  for path in "$@"; do
    [[ ! -e $path && ! -L $path ]] || run rm --recursive --force "$path"
  done
}
