# --volume DEVICE: the state directory on a volume of its own (EBS). Nothing on a device is ever overwritten: a file
# system is created only on a device that was read completely and contains only zeros, or that is said to be new.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

check_volume() {
  [[ -n $volume ]] || return 0
  local command
  for command in blkid lsblk findmnt mkfs.ext4 blockdev resize2fs; do
    command -v "$command" >/dev/null || missing+=("the command $command, for --volume")
  done
  if [[ ! -b $volume ]]; then
    missing+=("a block device $volume (lsblk lists the devices)")
  elif ! volume_is_mounted; then
    check_volume_is_free
  fi
}

volume_is_mounted() {
  [[ $(findmnt --noheadings --output=SOURCE --mountpoint "$state") == "$(readlink --canonicalize "$volume")" ]]
}

check_volume_is_free() {
  if findmnt --mountpoint "$state" >/dev/null; then
    missing+=("an unmounted $state: another volume is mounted there")
  elif [[ -n $(ls --almost-all "$state" 2>/dev/null) ]]; then
    missing+=("an empty $state: stop the workers, move its content elsewhere, and copy it back after the installation")
  fi
  if (($(lsblk --noheadings --list "$volume" | wc --lines) > 1)); then
    missing+=("a volume without partitions: $volume has some")
  elif findmnt --source "$volume" >/dev/null || grep --quiet "^$volume " /proc/swaps; then
    missing+=("an unused volume: $volume is in use")
  fi
}

mount_volume() {
  [[ -n $volume ]] || return 0
  step "Volume $volume for $state"
  if [[ ! -r $volume && $dry_run == yes ]]; then
    note "$volume cannot be read without root: its content was not checked, and whether it can be used is not known"
    return 0
  fi
  if volume_is_mounted; then
    note 'already mounted'
    findmnt --options nodev,nosuid --mountpoint "$state" >/dev/null || run mount --options remount,nodev,nosuid "$state"
  else
    create_file_system
    stop_readers
    mount_at_state_directory
    start_stopped_readers
  fi
  set_volume_entry
  grow_file_system
}

mount_at_state_directory() {
  run mkdir --parents "$state"
  # Otherwise the results of a worker would disappear below the mount.
  [[ -z $(ls --almost-all "$state" 2>/dev/null) ]] || die "$state is no longer empty: stop all workers and run this script again."
  run mount --options nodev,nosuid "$volume" "$state"
  [[ $dry_run == yes ]] || volume_is_mounted || die "$volume could not be mounted at $state: see dmesg."
}

# nofail: the host boots without the volume; the workers do not start, because their units require the mount.
set_volume_entry() {
  local uuid
  uuid=$(blkid --probe --match-tag UUID --output value "$volume" || printf 'UUID-OF-THE-VOLUME')
  set_fstab_entry "UUID=$uuid $state auto defaults,nodev,nosuid,nofail,x-systemd.device-timeout=30s 0 2"
}

stop_readers() {
  stopped_readers=("${active_readers[@]}" "${waiting_readers[@]}")
  ((${#stopped_readers[@]} == 0)) || run systemctl stop "${stopped_readers[@]}"
}

# Also called when the installation fails.
start_stopped_readers() {
  ((${#stopped_readers[@]} == 0)) || run systemctl start --no-block "${stopped_readers[@]}"
  stopped_readers=()
}

create_file_system() {
  local type
  type=$(blkid --probe --match-tag TYPE --output value "$volume" || true)
  case $type in
    ext4 | xfs)
      note "has a file system ($type) already: it is kept"
      return 0
      ;;
    '') ;;
    *) die "$volume contains something else ($type): use a blank volume, or one with ext4 or xfs." ;;
  esac
  is_blank || die "$volume is not blank and has no known file system: nothing was changed on it."
  run mkfs.ext4 -q -L imgpipe "$volume"
}

# A new EBS volume contains only zeros. Where the caller knows that it is new, its beginning and end are enough.
is_blank() {
  local size mebibyte=$((1024 * 1024))
  size=$(blockdev --getsize64 "$volume")
  if [[ $new_volume == yes ]]; then
    [[ -z $(blkid --probe --match-tag PTTYPE --output value "$volume" || true) ]] &&
      is_zero 0 $((16 * mebibyte)) && is_zero $((size - mebibyte)) "$mebibyte"
    return
  fi
  note 'reading all of it to make sure that it is blank (about 10 seconds per GB; --new-volume skips this)'
  is_zero 0 "$size"
}

is_zero() {
  cmp --silent --ignore-initial="$1:0" --bytes="$2" "$volume" /dev/zero
}

# A volume may have been enlarged, or created from a smaller snapshot.
grow_file_system() {
  local type size used
  type=$(findmnt --noheadings --output=FSTYPE --mountpoint "$state" || true)
  size=$(blockdev --getsize64 "$volume")
  case $type in
    ext4) used=$(dumpe2fs -h "$volume" 2>/dev/null | awk -F: '/^Block count/ { n = $2 } /^Block size/ { s = $2 } END { print n * s }') ;;
    xfs) used=$(xfs_info "$state" | awk '/^data/ { gsub(/[a-z]+=|,/, " "); print $3 * $4 }') ;;
    *) return 0 ;;
  esac
  ((size - used >= 1024 * 1024)) || return 0
  note "the file system uses $((used / 1024 / 1024)) MB of the volume's $((size / 1024 / 1024)) MB"
  case $type in
    ext4) run_quietly resize2fs "$volume" ;;
    xfs) run_quietly xfs_growfs "$state" ;;
  esac || die "the file system on $volume could not be grown; the output is above."
}
