# Node 24, its npm, and what sd-notify needs to be built.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

node_folder=/opt/imgpipe/node

# Sets "node" (the binary that the units start), "npm" (a command) and "headers" (of that very Node).
bring_node() {
  step "Node $node_major and a compiler for the native part of sd-notify"
  case $packages in
    dnf) bring_node_by_dnf ;;
    apt-get) bring_node_by_apt ;;
  esac
}

# Amazon Linux has several Nodes beside each other. /usr/bin/node may be pointed at another one at any time,
# and sd-notify would no longer load: so only the name with the number is ever used.
bring_node_by_dnf() {
  install_by_dnf "nodejs$node_major" "nodejs$node_major-npm" systemd-devel gcc-c++ make python3
  node=/usr/bin/node-$node_major
  npm=("/usr/bin/npm-$node_major")
  if [[ $dry_run == no ]] && ! runs_typescript "$node"; then
    note "$node was built without TypeScript: taking the Node of the npm registry"
    use_fetched_node
  fi
}

# A distribution may leave out the part of Node that strips types.
runs_typescript() {
  [[ $("$1" --print process.features.typescript) == strip ]]
}

install_by_dnf() {
  local name lacking=()
  for name in "$@"; do
    rpm --query --quiet "$name" || lacking+=("$name")
  done
  ((${#lacking[@]} == 0)) || change_quietly dnf install --assumeyes "${lacking[@]}" ||
    die "dnf could not install ${lacking[*]}: what it said is above."
}

# Debian has no package of Node 24: its own older Node and npm fetch it from the npm registry.
bring_node_by_apt() {
  local wanted=(libsystemd-dev g++ make python3)
  npm=(npm)
  [[ -x $(fetched_node) ]] || command -v npm >/dev/null || wanted+=(nodejs npm)
  install_by_apt "${wanted[@]}"
  use_fetched_node
}

install_by_apt() {
  local name lacking=()
  for name in "$@"; do
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
      lacking+=("$name")
  done
  ((${#lacking[@]} == 0)) && return 0
  change_quietly apt-get update || die 'apt-get could not update its lists: what it said is above.'
  change_quietly env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${lacking[@]}" ||
    die "apt-get could not install ${lacking[*]}: what it said is above."
}

# Takes the very Node that this version of imgpipe was tested with from the npm registry, by the npm at hand.
use_fetched_node() {
  node=$(fetched_node)
  [[ -x $node ]] || fetch_node "$(dirname "$(dirname "$node")")"
  npm=("$node" "${node%/bin/node}/npm/bin/npm-cli.js")
}

fetched_node() {
  awk -F'"' -v folder="$node_folder" '/"node_modules\/node": \{/ { found = 1 }
    found && $2 == "version" { print folder "/" $4 "/bin/node"; exit }' "$source_root/package-lock.json"
}

fetch_node() {
  local folder=$1 aside=$1.partial version=${1##*/}
  change rm --recursive --force "$aside"
  change_quietly "${npm[@]}" install --prefix "$aside" --no-save --loglevel=error \
    "node-linux-$arch@$version" "npm@$npm_version" ||
    die "Node $version could not be fetched from the npm registry: what npm said is above."
  change mv "$aside/node_modules/npm" "$aside/node_modules/node-linux-$arch/npm"
  change chown --recursive root:root "$aside"
  change mv --no-target-directory "$aside/node_modules/node-linux-$arch" "$folder"
  change rm --recursive --force "$aside"
}

# Sets "headers" to a folder with the headers of the Node that will load the addon, fetched into FOLDER from the
# npm registry when they do not lie beside it. Empty when there are none: then node-gyp asks nodejs.org itself.
find_headers() {
  local folder=$1 version
  headers=$(dirname "$(dirname "$node")")
  if headers_fit "$headers"; then return 0; fi
  headers=$folder/node_modules/node-linux-$arch
  version=$("$node" --print process.versions.node)
  change_quietly "${npm[@]}" install --prefix "$folder" --no-save --loglevel=error --ignore-scripts \
    "node-linux-$arch@$version" && headers_fit "$headers" || headers=''
}

# A host may hold the headers of another Node: an addon built from them is refused when it is loaded.
headers_fit() {
  local wanted found
  wanted=$("$node" --print process.versions.modules)
  found=$(awk '/define NODE_MODULE_VERSION [0-9]/ { print $3 }' "$1/include/node/node_version.h" 2>/dev/null)
  [[ -n $found && $found == "$wanted" ]]
}
