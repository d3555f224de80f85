# Packages of the distribution, installed only if they are missing.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

# Another package manager, such as unattended-upgrades after the first boot, may hold its lock for so long.
lock_seconds=300
lock_poll_seconds=5

install_by_dnf() {
  local name needed=()
  for name in "$@"; do
    rpm --query --quiet "$name" || needed+=("$name")
  done
  ((${#needed[@]} == 0)) || run_quietly dnf install --assumeyes "${needed[@]}" ||
    die "dnf could not install ${needed[*]}; its output is above."
}

install_by_apt() {
  local name needed=() options=(-o "DPkg::Lock::Timeout=$lock_seconds")
  for name in "$@"; do
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
      needed+=("$name")
  done
  ((${#needed[@]} == 0)) && return 0
  update_package_lists || die 'apt-get could not update the package lists; its output is above.'
  run_quietly env DEBIAN_FRONTEND=noninteractive \
    apt-get "${options[@]}" install --yes --no-install-recommends "${needed[@]}" ||
    die "apt-get could not install ${needed[*]}; its output is above."
}

# The lock of the package lists is the one that DPkg::Lock::Timeout does not wait for.
update_package_lists() {
  local output waited=0
  printf '    $ apt-get update\n'
  [[ $dry_run == no ]] || return 0
  until output=$(LC_ALL=C apt-get -o "DPkg::Lock::Timeout=$lock_seconds" update 2>&1); do
    if [[ $output != *'Could not get lock'* ]] || ((waited >= lock_seconds)); then
      printf '%s\n' "$output" >&2
      return 1
    fi
    ((waited > 0)) || note 'another package manager holds the lock of the package lists: waiting'
    sleep "$lock_poll_seconds"
    waited=$((waited + lock_poll_seconds))
  done
}
