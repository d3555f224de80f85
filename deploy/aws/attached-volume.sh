#!/usr/bin/env bash
# Prints the device of an EBS volume, such as /dev/nvme1n1, waiting for the volume to be attached.
#
# On Nitro instances (t3 and later) the kernel numbers the devices in the order in which they answer, which may change
# with every start: there the volume's id is the device's serial number, and udev makes a link of it. On Xen instances
# (t2) there is no serial number, and the device has the name that it was attached with: /dev/sdf is /dev/xvdf.
set -euo pipefail

devices=${IMGPIPE_DEVICES:-/dev}
wait_seconds=${IMGPIPE_WAIT_SECONDS:-300}

main() {
  if (($# != 1)) || [[ ! $1 =~ ^vol-[0-9a-f]+$ ]]; then
    echo 'Usage: attached-volume.sh VOLUME-ID (such as vol-0123456789abcdef0)' >&2
    exit 64
  fi
  local link
  for ((waited = 0; waited <= wait_seconds; waited++)); do
    for link in "$devices/disk/by-id/nvme-Amazon_Elastic_Block_Store_${1/-/}" "$devices/xvdf"; do
      if [[ -e $link ]]; then
        readlink --canonicalize "$link"
        return
      fi
    done
    sleep 1
  done
  echo "attached-volume.sh: $1 was not attached within $wait_seconds seconds: look for it in EC2's list of volumes." >&2
  exit 1
}

main "$@"
