# Readers: restarted by an upgrade, started by a first installation, and what they log.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

# Sets "active_readers" to those that work, and "waiting_readers" to those that wait, such as for credentials.
find_readers() {
  mapfile -t active_readers < <(units_in_state active 'imgpipe-reader.service' 'imgpipe-reader@*.service')
  mapfile -t waiting_readers < <(units_in_state activating 'imgpipe-reader.service' 'imgpipe-reader@*.service')
  reader_is_new=yes
  [[ ! -e $units/imgpipe-reader.service ]] || reader_is_new=no
}

# An upgrade restarts what was running, and nothing else: a detector's run ends in its own release.
restart_readers() {
  local unit
  [[ $changed == yes && $role != detector ]] || return 0
  for unit in "${active_readers[@]}"; do
    run systemctl restart "$unit" && continue
    error "$unit did not become ready in ${release##*/}. Its last log lines:"
    show_log_of "$unit" >&2
    return 1
  done
  for unit in "${waiting_readers[@]}"; do
    run systemctl restart --no-block "$unit"
  done
}

# The last lines of UNIT's newest invocation, of its processes and of systemd about it; never those of an earlier one.
show_log_of() {
  local id
  id=$(systemctl show --value --property=InvocationID "$1")
  [[ -n $id ]] || return 0
  journalctl --sync >/dev/null 2>&1 || true
  journalctl --quiet --no-pager --output=cat --lines=10 "_SYSTEMD_INVOCATION_ID=$id" + "INVOCATION_ID=$id" |
    sed 's/^/      /'
}

# A first installation starts the reader. Before its settings and permissions exist it cannot become ready; that is no
# failure of the installation.
start_reader() {
  [[ $role != detector ]] || return 0
  if [[ $reader_is_new == no ]]; then
    [[ -n $(units_in_state active,activating imgpipe-reader.service) ]] ||
      note 'The reader is not running: sudo systemctl start imgpipe-reader'
    return 0
  fi
  step 'Start the reader'
  run_quietly systemctl enable imgpipe-reader.service
  run systemctl start --no-block imgpipe-reader.service
  [[ $dry_run == yes ]] || report_reader_state
}

report_reader_state() {
  local active='' seconds
  for ((seconds = 0; seconds < 20; seconds++)); do
    active=$(systemctl show --value --property=ActiveState imgpipe-reader.service)
    [[ $active == active || $active == failed ]] && break
    sleep 1
  done
  if [[ $active == active ]]; then
    note 'The reader is ready.'
    return 0
  fi
  note 'The reader is installed but not ready yet. Its last log lines:'
  show_log_of imgpipe-reader.service
  note 'Correct the cause, then: sudo systemctl restart imgpipe-reader'
  note "settings:    sudoedit $settings/imgpipe.json"
  note 'credentials: sudo imgpipe credentials, unless the instance has a role'
  note 'all checks:  sudo imgpipe doctor'
}
