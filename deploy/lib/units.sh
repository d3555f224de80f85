# The user, the folders, the units and the command.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

units=/etc/systemd/system
settings=/etc/imgpipe
state=/var/lib/imgpipe
cache=/var/cache/imgpipe
all_units=(imgpipe-detector.service imgpipe-detector@.service imgpipe-detector.timer
  imgpipe-reader.service imgpipe-reader@.service)

is_of_role() {
  [[ $role == both || $1 == imgpipe-${role}[.@]* ]]
}

make_user_and_folders() {
  step 'User imgpipe, settings and results'
  local from=$source_root/deploy/systemd changed=no
  put_file 0644 "$from/imgpipe.sysusers.conf" /etc/sysusers.d/imgpipe.conf
  put_file 0644 "$from/imgpipe.tmpfiles.conf" /etc/tmpfiles.d/imgpipe.conf
  id imgpipe >/dev/null 2>&1 || changed=yes
  [[ -d $settings && -d $state && -d $cache ]] || changed=yes
  if [[ $changed == yes ]]; then
    change systemd-sysusers /etc/sysusers.d/imgpipe.conf
    change systemd-tmpfiles --create /etc/tmpfiles.d/imgpipe.conf
  fi
  # Settings are the operator's: written once, never touched again.
  [[ -e $settings/imgpipe.json ]] || change install --mode=0644 "$source_root/config/imgpipe.json" "$settings/"
}

# Brings the role's units from RELEASE and takes away those of the other role; sets "changed".
install_units() {
  local from=$1/deploy/systemd unit
  step "Units of the role $role"
  for unit in "${all_units[@]}"; do
    if is_of_role "$unit"; then
      put_file 0644 "$from/$unit" "$units/$unit"
    elif [[ -e $units/$unit ]]; then
      remove_unit "$unit"
    fi
  done
  put_file 0755 "$1/deploy/imgpipe.sh" /usr/local/bin/imgpipe
  label_files
}

remove_unit() {
  local unit=$1 running
  running=$(units_in_state active,activating,deactivating "${unit/@./@*.}")
  # shellcheck disable=SC2086 # several units, and unit names hold no spaces
  [[ -z $running ]] || change systemctl stop $running
  change_quietly systemctl disable "$unit"
  change rm --force "$units/$unit"
  changed=yes
}

units_in_state() {
  systemctl list-units --plain --no-legend --state="$1" "${@:2}" | awk '{ print $1 }'
}

# Gives files the labels that SELinux expects, where there is SELinux.
label_files() {
  if [[ $changed == yes ]] && command -v restorecon >/dev/null; then
    change restorecon -R /opt/imgpipe "$units" /usr/local/bin/imgpipe "$settings" || true
  fi
}

reload_units() {
  if [[ $changed == no ]]; then
    note 'unchanged'
    return 0
  fi
  change systemctl daemon-reload
  [[ $dry_run == yes ]] || verify_units
}

verify_units() {
  local unit complaints
  for unit in "${all_units[@]}"; do
    is_of_role "$unit" || continue
    complaints=$(systemd-analyze verify "${unit/@./@example.}" 2>&1) && [[ -z $complaints ]] && continue
    complaints=$(grep --fixed-strings imgpipe <<<"$complaints") || continue
    die "systemd does not accept $unit: $complaints"
  done
}

# An upgrade restarts what was running, and nothing else: a detector's run goes on in its own release.
restart_readers() {
  local unit
  [[ $changed == yes && $role != detector ]] || return 0
  for unit in "${active_readers[@]}"; do
    change systemctl restart "$unit"
  done
}

# A first install starts the reader. Before its settings and rights are there it cannot become ready; that is no
# failure of the installation.
start_reader() {
  [[ $role != detector ]] || return 0
  if [[ $reader_is_new == no ]]; then
    [[ -n $(units_in_state active,activating imgpipe-reader.service) ]] ||
      note 'The reader is not running: sudo systemctl start imgpipe-reader'
    return 0
  fi
  step 'Start the reader'
  change_quietly systemctl enable imgpipe-reader.service
  change systemctl start --no-block imgpipe-reader.service
  [[ $dry_run == yes ]] || tell_reader_state
}

tell_reader_state() {
  local state='' seconds
  for ((seconds = 0; seconds < 20; seconds++)); do
    state=$(systemctl show --value --property=ActiveState imgpipe-reader.service)
    [[ $state == active || $state == failed ]] && break
    sleep 1
  done
  if [[ $state == active ]]; then
    note 'The reader is ready.'
    return 0
  fi
  note 'The reader is installed but not ready yet. It says:'
  journalctl --identifier=imgpipe-reader --lines=3 --output=cat --no-pager | sed 's/^/      /'
  note "Put that right (settings: $settings/imgpipe.json, credentials: $settings/credentials or the instance's role),"
  note 'then: sudo systemctl restart imgpipe-reader'
}
