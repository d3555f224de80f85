#!/usr/bin/env bash
# Prepares the results volume of the CloudFormation stack at the first boot of B, and prints its device, such as
# /dev/nvme1n1: attaches it (--attach), creates the file system of a new volume (--new), and grows an existing one to the
# size of the volume. --attach needs AWS_DEFAULT_REGION and the permission ec2:AttachVolume.
#
# On Nitro instances (t3 and later) the kernel numbers devices in the order in which they respond, which may change with
# every boot: there the volume's ID is the device's serial number, and udev makes a link of it. On Xen instances (t2) there
# is no serial number, and the device has the name that it was attached with: /dev/sdf is /dev/xvdf.
set -euo pipefail

# While another instance still has the volume: an update that replaces B terminates the old one last.
in_use_seconds=1200
# For anything else, such as the permissions of a role that was created a moment ago.
other_seconds=120

main() {
  local attach=no new=no volume device
  while [[ ${1:-} == --* ]]; do
    case $1 in
      --attach) attach=yes ;;
      --new) new=yes ;;
      *) usage ;;
    esac
    shift
  done
  [[ $# == 1 && $1 =~ ^vol-[0-9a-f]+$ ]] || usage
  volume=$1
  device=$(find_device || wait_for_device)
  # Whatever these commands print is part of the log: standard output is for the device.
  make_file_system >&2
  grow_file_system >&2
  printf '%s\n' "$device"
}

usage() {
  echo 'Usage: results-volume.sh [--attach] [--new] VOLUME-ID, such as: results-volume.sh --attach vol-0123456789abcdef0' >&2
  exit 64
}

die() {
  echo "results-volume.sh: $*" >&2
  exit 1
}

find_device() {
  local device
  for device in "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volume/-/}" /dev/xvdf; do
    [[ -e $device ]] && readlink --canonicalize "$device" && return
  done
  return 1
}

wait_for_device() {
  local waited=0 limit=$other_seconds problem='it was not attached'
  until find_device; do
    if [[ $attach == yes ]] && problem=$(attach_volume 2>&1); then
      attach=no problem='it was attached, but its device did not appear'
    fi
    [[ $problem =~ VolumeInUse|IncorrectState ]] && limit=$in_use_seconds
    ((waited < limit)) || die "$volume is not available after $waited seconds: $problem"
    sleep 5
    ((waited += 5))
  done
}

attach_volume() {
  aws ec2 attach-volume --volume-id "$volume" --instance-id "$(</var/lib/cloud/data/instance-id)" --device /dev/sdf
}

# EBS creates an empty volume with zeros only, so a new one need not be read completely, which takes ten seconds per GiB.
# What is not known to be new is left to install.sh, which does read it.
make_file_system() {
  [[ $new == yes && -z $(file_system) ]] || return 0
  cmp --silent --bytes=1048576 "$device" /dev/zero || return 0
  echo "results-volume.sh: $volume is new: creating its file system"
  mkfs.ext4 -q -L imgpipe "$device"
}

# A volume that was created from a smaller snapshot, or has been enlarged since. ext4 is checked before it grows, unless it
# is in use; xfs grows only while it is mounted.
grow_file_system() {
  local mount_point status=0
  mount_point=$(findmnt --noheadings --first-only --output=TARGET --source "$device" || true)
  case $(file_system) in
    ext4)
      [[ -n $mount_point ]] || e2fsck -f -p "$device" || status=$?
      ((status < 4)) || die "the file system on $volume has errors: repair it with e2fsck on another instance."
      resize2fs "$device"
      ;;
    xfs)
      if [[ -n $mount_point ]]; then
        xfs_growfs "$mount_point"
      else
        mount_point=$(mktemp --directory)
        mount -o nosuid,nodev "$device" "$mount_point"
        xfs_growfs "$mount_point"
        umount "$mount_point"
        rmdir "$mount_point"
      fi
      ;;
  esac
}

file_system() {
  blkid --probe --match-tag TYPE --output value "$device" || true
}

main "$@"
