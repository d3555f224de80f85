# Releases: /opt/imgpipe/releases/VERSION-HASH, with "current" pointing at the one in use and "previous" at the
# one before. A release holds the program, its packages, the link bin/node and this installer.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

releases=/opt/imgpipe/releases
current=/opt/imgpipe/current
previous=/opt/imgpipe/previous
release_parts=(src config deploy docs package.json package-lock.json)

# Sets "release" to the folder of the version at hand; the same files always give the same folder.
name_release() {
  local version hash
  version=$(awk -F'"' '$2 == "version" { print $4; exit }' "$source_root/package.json")
  hash=$(cd "$source_root" && find "${release_parts[@]}" -type f -print0 | LC_ALL=C sort --zero-terminated |
    xargs --null sha256sum | sha256sum | cut --characters=1-10)
  release=$releases/$version-$hash
}

bring_release() {
  step "Release ${release##*/}"
  if [[ -d $release ]] && release_works "$release" 2>/dev/null; then
    note 'is built and works'
    return 0
  fi
  build_release "$releases/.${release##*/}.partial"
}

# Built aside and proved before it gets its name: a folder with a release's name is whole.
build_release() {
  local aside=$1 part
  change rm --recursive --force "$aside"
  change mkdir --parents "$aside/bin"
  for part in "${release_parts[@]}"; do
    [[ ! -e $source_root/$part ]] || change cp --recursive "$source_root/$part" "$aside/"
  done
  change ln --symbolic "$node" "$aside/bin/node"
  install_packages "$aside"
  change chmod --recursive u=rwX,go=rX "$aside"
  [[ $dry_run == yes ]] || release_works "$aside" ||
    die 'the new release does not run as user imgpipe (see above): nothing was switched, what ran before still runs.'
  change rm --recursive --force "$release"
  change mv --no-target-directory "$aside" "$release"
  fill_cache
}

# No package but sd-notify may run a script, and sd-notify is built in sight: as an optional package it would
# otherwise be left out in silence when its build fails.
install_packages() {
  local folder=$1
  change_quietly "${npm[@]}" ci --prefix "$folder" --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error ||
    die 'the packages could not be fetched from the npm registry: what npm said is above.'
  if [[ $dry_run == yes ]]; then
    note "\$ npm rebuild sd-notify (with the headers of $node)"
    return 0
  fi
  find_headers "$work"
  # "node" must be the Node of the units: on Amazon Linux /usr/bin/node is another one, or none.
  change_quietly env PATH="$folder/bin:$PATH" ${headers:+npm_package_config_node_gyp_nodedir="$headers"} \
    "${npm[@]}" rebuild sd-notify --prefix "$folder" --foreground-scripts ||
    die 'sd-notify, the native part that talks to systemd, could not be built: what npm said is above.'
}

# Whether the program and its native part load in the Node of the units, as the user of the units.
release_works() {
  runuser --user imgpipe -- env --chdir="$1" bin/node --eval 'require("sd-notify")' &&
    runuser --user imgpipe -- "$1/bin/node" "$1/src/cli.ts" --version >/dev/null
}

# The first start would otherwise have to compile everything: a resident worker keeps what that costs in memory.
fill_cache() {
  change find "$cache" -mindepth 1 -delete
  change_quietly runuser --user imgpipe -- env NODE_COMPILE_CACHE="$cache" \
    "$release/bin/node" "$release/src/cli.ts" --version
}

# Makes the release the one in use. If anything fails from here to the end, the EXIT trap calls go_back.
switch_release() {
  before=$(readlink "$current" || true)
  switching=yes
  install_units "$release"
  if [[ $before != "$release" ]]; then
    step "Switch to ${release##*/}${before:+ (until now: ${before##*/})}"
    changed=yes
    point_link "$release" "$current"
  fi
  reload_units
  restart_readers
  switching=no
  if [[ -n $before && $before != "$release" ]]; then point_link "$before" "$previous"; fi
}

go_back() {
  [[ -n $before && -d $before ]] || return 0
  complain "the new release failed: going back to ${before##*/}."
  point_link "$before" "$current"
  install_units "$before"
  changed=yes
  reload_units
  for unit in "${active_readers[@]}"; do
    change systemctl reset-failed "$unit" || true
    change systemctl restart "$unit" || complain "$unit does not start in the old release either: journalctl -u $unit"
  done
  complain "${before##*/} is in use again; the log of the failure: journalctl -u imgpipe-reader"
}

# Keeps the release in use and the one before it, and the Nodes that they run on.
drop_old_releases() {
  local folder
  for folder in "$releases"/*/ "$releases"/.*.partial/; do
    folder=${folder%/}
    [[ -d $folder && $folder != "$release" && $folder != "$(readlink "$previous" || true)" ]] || continue
    change rm --recursive --force "$folder"
  done
  for folder in "$node_folder"/*/; do
    [[ -d $folder ]] || continue
    is_used "${folder}bin/node" || change rm --recursive --force "$folder"
  done
}

is_used() {
  local link
  for link in "$releases"/*/bin/node; do
    [[ $(readlink "$link") != "$1" ]] || return 0
  done
  return 1
}
