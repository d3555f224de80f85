# --uninstall takes the program away and keeps settings and results; --purge takes those too.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

uninstall() {
  local unit
  step 'Take the units away'
  for unit in "${all_units[@]}"; do
    [[ ! -e $units/$unit ]] || remove_unit "$unit"
  done
  change systemctl daemon-reload
  change systemctl reset-failed 'imgpipe-*' || true
  step 'Take the program away'
  remove /usr/local/bin/imgpipe /opt/imgpipe "$cache" /etc/sysusers.d/imgpipe.conf /etc/tmpfiles.d/imgpipe.conf
  if [[ $purge == yes ]]; then
    remove_data
  else
    note "Kept: $settings, $state and the user imgpipe, who owns the results. --purge takes them too."
  fi
}

remove() {
  local path
  for path in "$@"; do
    [[ ! -e $path && ! -L $path ]] || change rm --recursive --force "$path"
  done
}

# A mounted volume is emptied, never unmounted: its line in /etc/fstab is the operator's.
remove_data() {
  step 'Take settings, results and the user away'
  remove "$settings"
  if mountpoint --quiet "$state"; then
    change find "$state" -mindepth 1 -delete
    note "$state is a mounted volume: it was emptied. To give it back: umount it and take its line out of /etc/fstab."
  else
    remove "$state"
  fi
  ! id imgpipe >/dev/null 2>&1 || change userdel imgpipe
}
