# The user, the directories, the units and the command.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

all_units=(imgpipe-detector.service imgpipe-detector@.service imgpipe-detector.timer
  imgpipe-detector-resume.service imgpipe-detector-resume@.service imgpipe-reader.service imgpipe-reader@.service)

create_user_and_directories() {
  step 'User imgpipe, settings and state directory'
  local from=$source_root/deploy/systemd changed=no
  put_file 0644 "$from/imgpipe.sysusers.conf" "$sysusers_file"
  put_file 0644 "$from/imgpipe.tmpfiles.conf" "$tmpfiles_file"
  id imgpipe >/dev/null 2>&1 || changed=yes
  [[ -d $settings && -d $state && -d $cache ]] || changed=yes
  if [[ $changed == yes ]]; then
    run systemd-sysusers "$sysusers_file"
    run systemd-tmpfiles --create "$tmpfiles_file"
  fi
  # Settings belong to the operator: written once, never changed again.
  [[ -e $settings/imgpipe.json ]] || run install --mode=0644 "$source_root/config/imgpipe.json" "$settings/"
}

# Installs the role's units from RELEASE and removes those of the other role; sets "changed". An older release may not
# have every unit.
install_units() {
  local from=$1/deploy/systemd unit
  step "Units of the role $role"
  for unit in "${all_units[@]}"; do
    if is_of_role "$unit" && [[ -e $from/$unit ]]; then
      put_file 0644 "$from/$unit" "$units/$unit"
    elif [[ -e $units/$unit ]]; then
      is_of_role "$unit" || remember_enabled "$unit"
      remove_unit "$unit"
    fi
  done
  put_file 0755 "$1/deploy/imgpipe.sh" "$command_file"
  link_command_for_sudo
  label_files
}

# sudo searches its own secure_path, which on some distributions lacks /usr/local/bin.
link_command_for_sudo() {
  command -v sudo >/dev/null && [[ $EUID -eq 0 && $dry_run == no ]] || return 0
  sudo --non-interactive sh -c 'command -v imgpipe' >/dev/null 2>&1 || point_link "$command_file" "$command_link"
}

remove_unit() {
  local unit=$1 running
  running=$(units_in_state active,activating,deactivating "${unit/@./@*.}")
  # shellcheck disable=SC2086 # several units, and unit names contain no spaces
  [[ -z $running ]] || run systemctl stop $running
  run_quietly systemctl disable "$unit"
  run rm --force "$units/$unit"
  changed=yes
}

units_in_state() {
  systemctl list-units --plain --no-legend --state="$1" "${@:2}" | awk '{ print $1 }'
}

# The units of imgpipe that something starts at boot, instances of templates included.
enabled_units() {
  find "$units" -path '*.wants/imgpipe-*' -printf '%f\n' 2>/dev/null | sort --unique
}

# Sets the labels that SELinux expects, where there is SELinux.
label_files() {
  if [[ $changed == yes ]] && command -v restorecon >/dev/null; then
    run restorecon -R "$program" "$units" "$command_file" "$settings" || true
  fi
}

reload_units() {
  if [[ $changed == no ]]; then
    note 'unchanged'
    return 0
  fi
  run systemctl daemon-reload
  [[ $dry_run == yes ]] || verify_units
}

verify_units() {
  local unit problems
  for unit in "${all_units[@]}"; do
    [[ -e $units/$unit ]] || continue
    problems=$(systemd-analyze verify "${unit/@./@example.}" 2>&1) && [[ -z $problems ]] && continue
    problems=$(grep --fixed-strings imgpipe <<<"$problems") || continue
    die "systemd rejects $unit: $problems"
  done
}
