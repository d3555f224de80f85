# Releases: /opt/imgpipe/releases/VERSION-HASH, with "current" pointing at the one in use and "previous" at the
# one before. A release holds the program, its packages, the link bin/node and this installer. It is built on the host from
# a checkout, or copied from a release archive, in which everything is built already.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

release_parts=(src config deploy docs package.json package-lock.json)

# Sets "release" to the directory of the version at hand; the same files always give the same directory.
name_release() {
  local version hash
  version=$(awk -F'"' '$2 == "version" { print $4; exit }' "$source_root/package.json")
  hash=$(cd "$source_root" && find "${release_parts[@]}" -type f -print0 2>/dev/null | LC_ALL=C sort --zero-terminated |
    xargs --null sha256sum | sha256sum | cut --characters=1-10) || true
  release=$releases/$version-$hash
}

bring_release() {
  step "Release ${release##*/}"
  if release_is_usable; then
    note 'already built and working'
    return 0
  fi
  check_disk_space
  stop_if_missing
  if [[ -n $bundled_node ]]; then use_bundled_node; else ensure_node; fi
  build_release "$releases/.${release##*/}.partial"
}

# Without root the release cannot be tried as another user, but a directory with its name is complete.
release_is_usable() {
  [[ -d $release ]] || return 1
  [[ $dry_run == yes && $EUID -ne 0 ]] || release_works "$release" 2>/dev/null
}

# Built aside and tested before it gets its name: a directory with a release's name is complete.
build_release() {
  local partial=$1 part
  run rm --recursive --force "$partial"
  run mkdir --parents "$partial/bin"
  for part in "${release_parts[@]}"; do
    [[ ! -e $source_root/$part ]] || run cp --recursive "$source_root/$part" "$partial/"
  done
  run ln --symbolic "$node" "$partial/bin/node"
  if [[ -n $bundled_node ]]; then
    run cp --recursive "$source_root/node_modules" "$partial/"
  else
    install_packages "$partial"
  fi
  run chmod --recursive u=rwX,go=rX "$partial"
  [[ $dry_run == yes ]] || release_works "$partial" ||
    die 'the new release does not run as user imgpipe (see above): nothing was switched, the version in use keeps running.'
  run rm --recursive --force "$release"
  run mv --no-target-directory "$partial" "$release"
  fill_cache
}

# No package but sd-notify may run a script, and sd-notify is built separately: as an optional package it would
# otherwise be skipped silently when its build fails.
install_packages() {
  local directory=$1
  run_quietly "${npm[@]}" ci --prefix "$directory" --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error ||
    die "the packages could not be fetched from the npm registry; npm's output is above."
  if [[ $dry_run == yes ]]; then
    note "\$ npm rebuild sd-notify (with the headers of $node)"
    return 0
  fi
  find_headers "$work"
  # "node" must be the Node of the units: on Amazon Linux /usr/bin/node is another one, or none.
  run_quietly env PATH="$directory/bin:$PATH" ${headers:+npm_package_config_node_gyp_nodedir="$headers"} \
    "${npm[@]}" rebuild sd-notify --prefix "$directory" --ignore-scripts=false --foreground-scripts ||
    die "sd-notify, the native addon for systemd, could not be built; npm's output is above."
}

# Whether the program and its native addon load in the Node of the units, as the user of the units.
release_works() {
  runuser --user imgpipe -- env --chdir="$1" bin/node --eval 'require("sd-notify")' &&
    runuser --user imgpipe -- "$1/bin/node" "$1/src/cli.ts" --version >/dev/null
}

# Otherwise the first start would compile everything: a resident worker keeps the memory that this takes.
fill_cache() {
  run find "$cache" -mindepth 1 -delete
  run_quietly runuser --user imgpipe -- env NODE_COMPILE_CACHE="$cache" \
    "$release/bin/node" "$release/src/cli.ts" --version
}

# Keeps the release in use, the one before it, the one that was rolled back, and whatever a process still runs from: a
# detector's run ends in the version in which it started.
drop_old_releases() {
  local directory in_use kept
  in_use=$(directories_in_use)
  kept=$(kept_releases)
  for directory in "$releases"/*/ "$releases"/.*.partial/; do
    directory=${directory%/}
    [[ -d $directory ]] || continue
    grep --quiet --line-regexp --fixed-strings "$directory" <<<"$kept" && continue
    if grep --quiet --line-regexp --fixed-strings "$directory" <<<"$in_use"; then
      note "${directory##*/} is in use by a running process: it is kept until a later installation"
    else
      run rm --recursive --force "$directory"
    fi
  done
  for directory in "$node_directory"/*/; do
    directory=${directory%/}
    [[ -d $directory ]] || continue
    is_node_of_release "$directory/bin/node" || grep --quiet --line-regexp --fixed-strings "$directory" <<<"$in_use" ||
      run rm --recursive --force "$directory"
  done
}

# A dry run has not moved the links: the release in use is the one that an upgrade would keep as the previous one.
kept_releases() {
  local in_use
  in_use=$(readlink "$current" || true)
  printf '%s\n' "$release"
  if [[ $dry_run == yes && $in_use != "$release" ]]; then
    printf '%s\n' "$in_use"
  else
    readlink "$previous" "$rolled_back" || true
  fi
}

# The directories under releases/ and node/ that a process was started from, has mapped (the native addon), or is in.
directories_in_use() {
  local process
  for process in "$processes"/[0-9]*; do
    readlink "$process/exe" "$process/cwd" || true
    cat "$process/maps" || true
    tr '\0' '\n' <"$process/cmdline" || true
  done 2>/dev/null | grep --only-matching --extended-regexp "$program/(releases|node)/[^/ ]+" | sort --unique || true
}

is_node_of_release() {
  local link
  for link in "$releases"/*/bin/node; do
    [[ $(readlink "$link") != "$1" ]] || return 0
  done
  return 1
}
