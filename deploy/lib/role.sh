# The role of the host, and what a change of it stops.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

is_of_role() {
  [[ $role == both || $1 == imgpipe-${role}[.@-]* ]]
}

# A role typed on the wrong host must not stop a worker.
check_role_change() {
  local stops adds
  [[ -n $installed_role && $installed_role != "$role" && $change_role == no ]] || return 0
  stops=$(units_of_other_role | paste --serial --delimiters=, | sed 's/,/, /g')
  adds='removes nothing'
  [[ $role == both ]] || adds="stops and removes ${stops:-the units of the other worker}"
  usage_error "this host was installed with --role $installed_role; --role $role $adds. Add --change-role if that is intended"
}

# Those that run or are enabled.
units_of_other_role() {
  local unit
  {
    units_in_state active,activating 'imgpipe-detector*' 'imgpipe-reader*'
    enabled_units | grep --extended-regexp '^imgpipe-(detector|reader)' || true
  } | sort --unique | while read -r unit; do
    is_of_role "$unit" || printf '%s\n' "$unit"
  done
}

# Remembers that UNIT, or instances of the template UNIT, are enabled before it is removed.
remember_enabled() {
  local pattern=${1/@./@*.} enabled
  enabled=$(
    cat "$enabled_file" 2>/dev/null
    enabled_units | while read -r unit; do
      # shellcheck disable=SC2053 # a pattern
      [[ $unit != $pattern ]] || printf '%s\n' "$unit"
    done
  )
  [[ -n $enabled ]] || return 0
  write_enabled_file "$enabled"
}

write_enabled_file() {
  [[ $dry_run == no ]] || return 0
  mkdir --parents "$program"
  sort --unique <<<"$1" >"$enabled_file"
}

# Enables what was enabled when the role was given up. Readers and timers are started as well; a run never is.
enable_returning_units() {
  local unit rest=''
  [[ -s $enabled_file ]] || return 0
  while read -r unit; do
    if ! is_of_role "$unit"; then
      rest+="$unit"$'\n'
      continue
    fi
    run_quietly systemctl enable "$unit"
    [[ $unit == imgpipe-detector*.service ]] || run systemctl start --no-block "$unit"
  done <"$enabled_file"
  if [[ -n $rest ]]; then write_enabled_file "${rest%$'\n'}"; else run rm --force "$enabled_file"; fi
}

keep_role() {
  printf '%s\n' "$role" >"$work/role"
  put_file 0644 "$work/role" "$role_file"
}
