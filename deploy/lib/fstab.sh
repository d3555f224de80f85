# The entry of the state directory in /etc/fstab: one, because systemd uses the first of several.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

# Makes ENTRY the only one for the state directory.
set_fstab_entry() {
  local entry=$1 old
  old=$(fstab_entries)
  [[ $old != "$entry" ]] || return 0
  [[ -z $old ]] || note "replacing in $fstab: $old"
  note "writing to $fstab: $entry"
  {
    other_fstab_lines
    printf '%s\n' "$entry"
  } | replace_content "$fstab"
  run systemctl daemon-reload
}

remove_fstab_entry() {
  local old
  old=$(fstab_entries)
  [[ -n $old ]] || return 0
  note "removing from $fstab: $old"
  other_fstab_lines | replace_content "$fstab"
  run systemctl daemon-reload
}

fstab_entries() {
  [[ ! -e $fstab ]] || awk -v mount_point="$state" "$is_entry"' is_entry' "$fstab"
}

# awk ends every line, the last one too.
other_fstab_lines() {
  [[ ! -e $fstab ]] || awk -v mount_point="$state" "$is_entry"' !is_entry' "$fstab"
}

# shellcheck disable=SC2016 # awk's fields
is_entry='{ path = $2; if (path != "/") sub(/\/+$/, "", path); is_entry = $1 !~ /^#/ && path == mount_point }'
