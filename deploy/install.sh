#!/usr/bin/env bash
# Installs imgpipe on this host: Amazon Linux 2023 or Debian 12. --help says how it is called.
#
# The order is that of a careful person: look first and say all that is missing; then what disturbs nobody (packages,
# Node, the new release beside the old one, proved to run); only then the switch, which takes one moment and
# is taken back if the reader does not come up in the new release.
set -euo pipefail
umask 022

source_root=$(cd "$(dirname "$(readlink --canonicalize "${BASH_SOURCE[0]}")")/.." && pwd)
node_major=24
npm_version=11

# shellcheck source=lib/say.sh
. "$source_root/deploy/lib/say.sh"
# shellcheck source=lib/preflight.sh
. "$source_root/deploy/lib/preflight.sh"
# shellcheck source=lib/node.sh
. "$source_root/deploy/lib/node.sh"
# shellcheck source=lib/release.sh
. "$source_root/deploy/lib/release.sh"
# shellcheck source=lib/units.sh
. "$source_root/deploy/lib/units.sh"
# shellcheck source=lib/volume.sh
. "$source_root/deploy/lib/volume.sh"
# shellcheck source=lib/uninstall.sh
. "$source_root/deploy/lib/uninstall.sh"

usage() {
  cat <<'USAGE'
Usage: sudo ./install.sh [--role detector|reader|both] [--volume DEVICE] [--dry-run]
       sudo ./install.sh --rollback
       sudo ./install.sh --uninstall | --purge

Installs imgpipe, or upgrades it to the version that this script lies in. Running it again changes nothing.

  --role ROLE      which worker this host runs: detector (A), reader (B) or both.
                   Default: the role it was installed with, else both.
  --volume DEVICE  puts /var/lib/imgpipe on this volume, such as /dev/nvme1n1. A blank volume gets a file system;
                   one with ext4 or xfs is used as it is; anything else is refused.
  --rollback       goes back to the version that was in use before the last upgrade
  --uninstall      takes the program away; keeps /etc/imgpipe and /var/lib/imgpipe
  --purge          takes those and the user imgpipe away too
  --dry-run        shows what would be done, and does nothing
  --help           this page

It never overwrites a file in /etc/imgpipe. Exit status: 0 done, 1 failed (what ran before still runs), 64 usage.
USAGE
}

main() {
  read_options "$@"
  case $action in
    install)
      check_host
      install_imgpipe
      ;;
    rollback)
      check_host
      roll_back
      ;;
    uninstall)
      check_rights
      stop_if_missing
      only_one_at_a_time
      uninstall
      ;;
  esac
  [[ $dry_run == no ]] || step 'This was a dry run: nothing was changed.'
}

read_options() {
  action=install role='' volume='' purge=no
  while (($# > 0)); do
    case $1 in
      --role | --volume)
        (($# > 1)) || misused "$1 needs a value"
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
      --role=* | --volume=*) printf -v "$(cut --delimiter== --fields=1 <<<"${1#--}")" '%s' "${1#*=}" ;;
      --rollback | --uninstall) action=${1#--} ;;
      --purge) action=uninstall purge=yes ;;
      --dry-run) dry_run=yes ;;
      --help) usage && exit 0 ;;
      *) misused "there is no option $1" ;;
    esac
    shift
  done
  [[ -n $role ]] || role=$(cat /opt/imgpipe/role 2>/dev/null || printf both)
  [[ $role =~ ^(detector|reader|both)$ ]] || misused "--role is detector, reader or both, not \"$role\""
}

misused() {
  complain "$1; ./install.sh --help shows how it is called."
  exit 64
}

install_imgpipe() {
  active_readers=() before='' switching=no changed=no
  work=$(mktemp --directory)
  trap clean_up EXIT
  only_one_at_a_time
  mapfile -t active_readers < <(units_in_state active 'imgpipe-reader.service' 'imgpipe-reader@*.service')
  reader_is_new=yes
  [[ ! -e $units/imgpipe-reader.service ]] || reader_is_new=no

  bring_node
  mount_volume
  make_user_and_folders
  name_release
  bring_release
  switch_release
  keep_role
  drop_old_releases
  start_reader
  [[ $dry_run == yes ]] || say_what_next
}

# The lock is on a folder that is there anyway: nothing is left behind.
only_one_at_a_time() {
  [[ $dry_run == yes ]] && return 0
  exec {lock}<"$units"
  flock --nonblock "$lock" || die 'another install.sh is at work on this host: wait until it is done.'
}

# Within a trap a bare "return" returns the status from before the trap: every return here names its own.
# shellcheck disable=SC2317 # the EXIT trap calls it
clean_up() {
  local status=$?
  trap - EXIT
  rm --recursive --force "$work"
  if ((status != 0)) && [[ $switching == yes ]]; then go_back; fi
  exit "$status"
}

keep_role() {
  printf '%s\n' "$role" >"$work/role"
  put_file 0644 "$work/role" /opt/imgpipe/role
}

# Every release holds the installer that knows how to make it the one in use.
roll_back() {
  [[ -x $previous/deploy/install.sh ]] || die 'there is no previous version on this host to go back to.'
  local options=(--role "$role")
  [[ $dry_run == no ]] || options+=(--dry-run)
  step "Back to $(basename "$(readlink "$previous")"), by its own installer"
  exec "$(readlink "$previous")/deploy/install.sh" "${options[@]}"
}

say_what_next() {
  step "imgpipe ${release##*/} is installed, role $role. What next:"
  note "settings:   sudoedit $settings/imgpipe.json, then: imgpipe doctor"
  [[ $role == reader ]] || note 'a run:      sudo systemctl start imgpipe-detector'
  [[ $role == reader ]] || note 'regularly:  sudo systemctl enable --now imgpipe-detector.timer'
  [[ $role == reader ]] || note "            every 15 minutes: \$1 per 1,000 new or changed images, \$1 more per 1,000 with a car;"
  [[ $role == reader ]] || note '            "imgpipe plan" estimates it, the setting "maxCallsPerDay" limits it'
  [[ $role == detector ]] || note 'the log:    journalctl -u imgpipe-reader'
  [[ $role == detector ]] || note "the result: cat $state/results.txt"
}

main "$@"
exit
