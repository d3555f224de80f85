# --uninstall removes the program and keeps settings and results; --purge removes those too.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

# The content of a volume may be the only copy of results that were paid for: deleting it needs a confirmation.
check_purge() {
  [[ $purge == yes && $yes == no ]] || return 0
  local source
  source=$(findmnt --noheadings --output=SOURCE --mountpoint "$state") || return 0
  die "$state is the mounted volume $source: --purge deletes everything on it, unmounts it and removes its entry from $fstab." \
    "Add --yes if that is intended; to keep its content, first stop the workers and run: sudo umount $state"
}

uninstall() {
  local unit
  step 'Remove the units'
  for unit in $(installed_units); do
    remove_unit "$unit"
  done
  [[ $purge == no ]] || remove_operator_units
  run systemctl daemon-reload
  run systemctl reset-failed 'imgpipe-*' || true
  step 'Remove the program'
  [[ ! -L $command_link ]] || remove "$command_link"
  remove "$command_file" "$program" "$cache" "$sysusers_file" "$tmpfiles_file"
  if [[ $purge == yes ]]; then
    remove_data
  else
    note "Kept: $settings, $state and the user imgpipe, who owns the results$(kept_drop_ins). --purge removes them too."
  fi
}

# Those of deploy/systemd, and those of its examples, which do not work without the program.
installed_units() {
  local unit
  for unit in imgpipe-credentials.path imgpipe-credentials.service "${all_units[@]}" imgpipe-failure@.service; do
    [[ ! -e $units/$unit ]] || printf '%s\n' "$unit"
  done
}

# Drop-ins, units of the operator's own, and links of instances whose template was removed earlier.
remove_operator_units() {
  local path
  while read -r path; do
    remove "$path"
  done < <(find "$units" "$units.control" -name 'imgpipe-*' -prune 2>/dev/null | sort)
}

kept_drop_ins() {
  local paths
  paths=$(find "$units" -maxdepth 1 -name 'imgpipe-*.d' | paste --serial --delimiters=' ')
  [[ -z $paths ]] || printf ', and the drop-ins %s' "$paths"
}

remove_data() {
  step 'Remove settings, results and the user'
  remove "$settings"
  if findmnt --mountpoint "$state" >/dev/null; then
    run find "$state" -mindepth 1 -delete
    run umount "$state"
  fi
  remove_fstab_entry
  remove "$state"
  ! id imgpipe >/dev/null 2>&1 || run userdel imgpipe
}
