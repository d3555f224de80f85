# Requirements, checked before anything is changed. All that are not met are reported at once.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

missing=()

check_host() {
  check_rights
  [[ -d /run/systemd/system ]] || missing+=('a host booted with systemd')
  check_systemd_version
  check_distribution
  check_architecture
  check_source
  check_commands
  check_volume
  stop_if_missing
}

check_rights() {
  [[ $EUID -eq 0 || $dry_run == yes ]] || missing+=('root: run this script with sudo')
}

check_systemd_version() {
  local version
  version=$(systemctl --version 2>/dev/null | awk 'NR == 1 { print int($2) }')
  ((${version:-0} >= 252)) || missing+=("systemd 252 or later (found: ${version:-none})")
}

# Sets "packages" to the package manager: dnf on Amazon Linux 2023, apt-get on Debian 12 and later.
check_distribution() {
  local id version
  id=$(os_release ID)
  version=$(os_release VERSION_ID)
  case $id in
    amzn) packages=dnf ;;
    debian) packages=apt-get ;;
    *) packages=none ;;
  esac
  if [[ $packages == none ]] || { [[ $id == amzn ]] && ((${version%%.*} < 2023)); } ||
    { [[ $id == debian ]] && ((${version:-99} < 12)); }; then
    missing+=("Amazon Linux 2023 or Debian 12 or later (found: $id $version)")
  elif ! command -v "$packages" >/dev/null; then
    missing+=("the package manager $packages")
  fi
}

os_release() {
  # shellcheck disable=SC1091 # the file is the host's
  (. /etc/os-release && printf '%s' "${!1:-}")
}

# Sets "arch" to the name that Node's packages use for the processor.
check_architecture() {
  case $(uname --machine) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) missing+=("an x86_64 or aarch64 processor (found: $(uname --machine))") ;;
  esac
}

# A checkout, or a release archive with its packages and its Node. Sets "bundled_node" to the directory of the latter.
check_source() {
  local part is_complete=yes parts=(src/cli.ts config package.json package-lock.json deploy/systemd)
  find_bundled_node
  [[ -z $bundled_node ]] || parts+=(node_modules "${bundled_node##*/}/bin/node")
  for part in "${parts[@]}"; do
    [[ -e $source_root/$part ]] && continue
    missing+=("the complete project: $source_root/$part does not exist")
    is_complete=no
  done
  [[ $is_complete == yes ]] || return 0
  if [[ -n $bundled_node && $bundled_node != *-linux-${arch:-} ]]; then
    missing+=("a release archive for its processor: this one is for ${bundled_node##*-}, the one for ${arch:-another} ends in linux-${arch:-ARCH}.tar.gz")
  fi
  name_release
  [[ -d $release ]] || check_disk_space
}

# Needed only for a new release: it takes about 60 MB, Node in /opt another 200 MB. The rest is for the compiler's packages,
# which a release archive does not need.
check_disk_space() {
  local kilobytes megabytes=1024
  [[ -z $bundled_node ]] || megabytes=300
  kilobytes=$(df --output=avail / "$(existing_parent "$releases")" | tail --lines=+2 | sort --numeric-sort | head --lines=1)
  ((kilobytes >= megabytes * 1024)) || missing+=("$megabytes MB of free disk space (found: $((kilobytes / 1024)) MB)")
}

existing_parent() {
  local path=$1
  while [[ ! -d $path ]]; do path=$(dirname "$path"); done
  printf '%s\n' "$path"
}

check_commands() {
  local command
  for command in awk cmp find flock install journalctl runuser sha256sum systemd-run; do
    command -v "$command" >/dev/null || missing+=("the command $command")
  done
}

stop_if_missing() {
  ((${#missing[@]} == 0)) && return 0
  error 'nothing was changed, because this host lacks:'
  printf '  - %s\n' "${missing[@]}" >&2
  exit 1
}
