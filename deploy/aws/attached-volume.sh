#!/usr/bin/env bash
# Prints the device of an EBS volume, such as /dev/nvme1n1, waiting for the volume to be attached.
#
# On Nitro instances (t3 and later) the kernel numbers the devices in the order in which they answer, which may change
# with every start: there the volume's id is the device's serial number, and udev makes a link of it. On Xen instances
# (t2) there is no serial number, and the device has the name that it was attached with: /dev/sdf is /dev/xvdf.
set -euo pipefail

main() {
  if (($# < 1 || $# > 2)) || [[ ! $1 =~ ^vol-[0-9a-f]+$ || ! ${2:-300} =~ ^[0-9]+$ ]]; then
    echo 'Usage: attached-volume.sh VOLUME-ID [SECONDS], such as: attached-volume.sh vol-0123456789abcdef0 300' >&2
    exit 64
  fi
  local seconds=${2:-300} device
  for ((waited = 0; waited <= seconds; waited++)); do
    ((waited == 0)) || sleep 1
    for device in "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${1/-/}" /dev/xvdf; do
      if [[ -e $device ]]; then
        readlink --canonicalize "$device"
        return
      fi
    done
  done
  echo "attached-volume.sh: $1 was not attached within $seconds seconds: look for it in EC2's list of volumes." >&2
  exit 1
}

main "$@"
