# --volume DEVICE: the state directory on a volume of its own (EBS). Nothing on a device is ever overwritten: a file
# system is made only on a device that was read from end to end and holds nothing but zeros.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

check_volume() {
  [[ -n $volume ]] || return 0
  local command
  for command in blkid lsblk findmnt mkfs.ext4 blockdev; do
    command -v "$command" >/dev/null || missing+=("the command $command, for --volume")
  done
  if [[ ! -b $volume ]]; then
    missing+=("a block device called $volume (lsblk shows those there are)")
  elif ! volume_is_mounted; then
    check_volume_is_free
  fi
}

volume_is_mounted() {
  [[ $(findmnt --noheadings --output=SOURCE --mountpoint "$state") == "$(readlink --canonicalize "$volume")" ]]
}

check_volume_is_free() {
  if findmnt --mountpoint "$state" >/dev/null; then
    missing+=("a free $state: another volume is mounted there already")
  elif [[ -n $(ls --almost-all "$state" 2>/dev/null) ]]; then
    missing+=("an empty $state: stop the workers, move what is in it aside, and copy it back after the installation")
  fi
  if (($(lsblk --noheadings --list "$volume" | wc --lines) > 1)); then
    missing+=("a volume without partitions: $volume has some")
  elif findmnt --source "$volume" >/dev/null || grep --quiet "^$volume " /proc/swaps; then
    missing+=("a free volume: $volume is in use")
  fi
}

mount_volume() {
  [[ -n $volume ]] || return 0
  step "Volume $volume for $state"
  if volume_is_mounted; then
    note 'is mounted'
    return 0
  fi
  make_file_system
  local uuid
  uuid=$(blkid --probe --match-tag UUID --output value "$volume" || printf 'its-uuid')
  # nofail: the host starts without the volume; the workers do not, for their units require the mount.
  add_fstab_line "UUID=$uuid $state auto defaults,nofail,x-systemd.device-timeout=30s 0 2"
  change mkdir --parents "$state"
  change systemctl daemon-reload
  # By its name: about a UUID that udev does not show yet, mount would keep silent because of nofail.
  change mount "$volume" "$state"
  [[ $dry_run == yes ]] || volume_is_mounted || die "$volume could not be mounted at $state: look at dmesg."
}

make_file_system() {
  local type
  type=$(blkid --probe --match-tag TYPE --output value "$volume" || true)
  case $type in
    ext4 | xfs)
      note "has a file system ($type) already: it is kept as it is"
      return 0
      ;;
    '') ;;
    *) die "$volume holds something else ($type): give a blank volume, or one with ext4 or xfs." ;;
  esac
  note 'reading all of it, to be sure that it is blank (a gigabyte takes about 10 seconds)'
  cmp --silent --bytes="$(blockdev --getsize64 "$volume")" "$volume" /dev/zero ||
    die "$volume is not blank, and has no file system that is known here: nothing was changed on it."
  change mkfs.ext4 -q -L imgpipe "$volume"
}

add_fstab_line() {
  if grep --quiet --fixed-strings --line-regexp "$1" /etc/fstab; then return 0; fi
  note "adding to /etc/fstab: $1"
  [[ $dry_run == yes ]] || printf '%s\n' "$1" >>/etc/fstab
}
