#!/usr/bin/env bash
# Installs imgpipe on this host: Amazon Linux 2023 or Debian 12. --help describes the options.
#
# The order: check everything and report all that is missing; then what does not affect the version in use (packages, Node,
# the new release beside the old one, its tests, its check of the settings); only then the switch, which is atomic and is
# undone if the reader does not become ready in the new release.

# "sh install.sh" starts another shell, or bash without what it has beyond POSIX.
# shellcheck disable=SC3028,SC3040 # these lines are for the other shell
case ${BASH_VERSION:+bash}:${SHELLOPTS:-} in
  *posix*) set +o posix ;;
  bash:*) ;;
  *) exec bash "$0" "$@" ;;
esac
set -euo pipefail
umask 022
# A login shell of Debian has no sbin, where half of what is needed lies.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

source_root=$(cd "$(dirname "$(readlink --canonicalize "${BASH_SOURCE[0]}")")/.." && pwd)
# A test sources this file, with a directory of its own in front of every path.
[[ ${BASH_SOURCE[0]} != "$0" ]] || prefix=''

# shellcheck source=lib/paths.sh
. "$source_root/deploy/lib/paths.sh"
# shellcheck source=lib/log.sh
. "$source_root/deploy/lib/log.sh"
# shellcheck source=lib/files.sh
. "$source_root/deploy/lib/files.sh"
# shellcheck source=lib/preflight.sh
. "$source_root/deploy/lib/preflight.sh"
# shellcheck source=lib/packages.sh
. "$source_root/deploy/lib/packages.sh"
# shellcheck source=lib/node.sh
. "$source_root/deploy/lib/node.sh"
# shellcheck source=lib/release.sh
. "$source_root/deploy/lib/release.sh"
# shellcheck source=lib/switch.sh
. "$source_root/deploy/lib/switch.sh"
# shellcheck source=lib/units.sh
. "$source_root/deploy/lib/units.sh"
# shellcheck source=lib/role.sh
. "$source_root/deploy/lib/role.sh"
# shellcheck source=lib/readers.sh
. "$source_root/deploy/lib/readers.sh"
# shellcheck source=lib/fstab.sh
. "$source_root/deploy/lib/fstab.sh"
# shellcheck source=lib/volume.sh
. "$source_root/deploy/lib/volume.sh"
# shellcheck source=lib/uninstall.sh
. "$source_root/deploy/lib/uninstall.sh"

usage() {
  cat <<'USAGE'
Usage: sudo ./install.sh [--role detector|reader|both] [--volume DEVICE] [--dry-run]
       sudo ./install.sh --rollback | --use VERSION
       sudo ./install.sh --uninstall | --purge

Installs imgpipe, or upgrades it to the version that contains this script. Running it again changes nothing.
In a release archive it needs no network; in a checkout it fetches Node, packages and a compiler.

  --role ROLE      worker of this host: detector (A), reader (B) or both.
                   Default: the role it was installed with, otherwise both.
  --change-role    confirms a role other than the installed one: the units of the other worker are stopped and removed
  --volume DEVICE  mounts this volume, such as /dev/nvme1n1, at /var/lib/imgpipe, and grows its file system to the
                   volume's size. A blank volume gets ext4; one with ext4 or xfs is used as it is; others are refused.
  --new-volume     the volume was just created: skips reading all of it to make sure that it is blank
  --rollback       returns to the version that was in use before the last upgrade
  --use VERSION    switches to another version that is still on this host, such as the one that was rolled back
  --uninstall      removes the program; keeps /etc/imgpipe, /var/lib/imgpipe and drop-ins
  --purge          removes those and the user imgpipe too
  --yes            with --purge: also deletes everything on a volume that is mounted at /var/lib/imgpipe
  --dry-run        prints what would be done and changes nothing; needs no root
  -h, --help       prints this help

It never overwrites a file in /etc/imgpipe. Exit status: 0 done, 1 failed (what ran before still runs), 64 usage.
USAGE
}

main() {
  read_options "$@"
  case $action in
    install)
      check_host
      check_role_change
      install_imgpipe
      ;;
    rollback)
      check_rights
      stop_if_missing
      roll_back
      ;;
    uninstall)
      check_rights
      stop_if_missing
      check_purge
      lock_installation
      uninstall
      ;;
  esac
  [[ $dry_run == no ]] || step 'This was a dry run: nothing was changed.'
}

read_options() {
  action=install role='' change_role=no volume='' new_volume=no wanted_release='' purge=no yes=no
  while (($# > 0)); do
    case $1 in
      --role | --volume | --use)
        (($# > 1)) || usage_error "$1 needs a value"
        read_value "$1" "$2"
        shift
        ;;
      --role=* | --volume=* | --use=*) read_value "${1%%=*}" "${1#*=}" ;;
      --change-role) change_role=yes ;;
      --new-volume) new_volume=yes ;;
      --rollback | --uninstall) action=${1#--} ;;
      --purge) action=uninstall purge=yes ;;
      --yes) yes=yes ;;
      --dry-run) dry_run=yes ;;
      -h | --help) usage && exit 0 ;;
      *) usage_error "there is no option $1" ;;
    esac
    shift
  done
  installed_role=$(cat "$role_file" 2>/dev/null || true)
  [[ -n $role ]] || role=${installed_role:-both}
  [[ $role =~ ^(detector|reader|both)$ ]] || usage_error "--role is detector, reader or both, not \"$role\""
  [[ $new_volume == no || -n $volume ]] || usage_error '--new-volume needs --volume DEVICE'
}

read_value() {
  case $1 in
    --role) role=$2 ;;
    --volume) volume=$2 ;;
    --use)
      action=rollback wanted_release=$2
      [[ $2 =~ ^[0-9A-Za-z][0-9A-Za-z.+-]*$ ]] || usage_error "--use takes a version such as 1.2.0-0123456789, not \"$2\""
      ;;
  esac
}

install_imgpipe() {
  active_readers=() waiting_readers=() stopped_readers=() before='' switching=no changed=no
  work=$(mktemp --directory --tmpdir="${TMPDIR:-/var/tmp}" imgpipe-install.XXXXXX)
  trap clean_up EXIT
  lock_installation
  find_readers

  mount_volume
  create_user_and_directories
  bring_release
  check_settings
  switch_release
  keep_role
  drop_old_releases
  start_reader
  [[ $dry_run == yes ]] || print_next_steps
}

# The lock is on a directory that exists anyway: nothing is left behind.
lock_installation() {
  [[ $dry_run == yes ]] && return 0
  exec {lock}<"$units"
  flock --nonblock "$lock" || die 'another install.sh is running on this host: wait until it has finished.'
}

# Within a trap a bare "return" returns the status from before the trap: every return here names its own.
# shellcheck disable=SC2317 # the EXIT trap calls it
clean_up() {
  local status=$?
  trap - EXIT
  rm --recursive --force "$work"
  start_stopped_readers || true
  if ((status != 0)) && [[ $switching == yes ]]; then go_back; fi
  exit "$status"
}

print_next_steps() {
  step "imgpipe ${release##*/} is installed, role $role. Next:"
  note "settings: sudoedit $settings/imgpipe.json"
  note 'keys:     sudo imgpipe credentials, unless the instance has a role'
  note 'check:    sudo imgpipe doctor'
  if [[ $role != reader ]]; then
    note 'one run:  sudo systemctl start imgpipe-detector'
    note 'daily:    sudo systemctl enable --now imgpipe-detector.timer'
    note "          A run costs \$1 per 1,000 new or changed images, and \$1 more per 1,000 with a car:"
    note '          "imgpipe plan" estimates it, the setting "maxCallsPerDay" limits it.'
  fi
  if [[ $role != detector ]]; then
    note 'log:      journalctl -u imgpipe-reader'
    note "results:  cat $state/results.txt"
  fi
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  main "$@"
  exit
fi
