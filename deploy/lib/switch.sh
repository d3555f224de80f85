# The switch to a release: its check of the settings, the links, the units, the way back.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

# The new release reads the settings of every pipeline as its unit will: as user imgpipe, with the unit's environment.
check_settings() {
  local name output
  if [[ $dry_run == yes && ($EUID -ne 0 || ! -d $release) ]]; then
    note 'the new release checks the settings before it is put into use'
    return 0
  fi
  for name in $(configured_pipelines); do
    output=$(validate_settings "$name" 2>&1) && continue
    error "${release##*/} does not accept the settings of the pipeline \"$name\":"
    printf '%s\n' "$output" >&2
    die 'nothing was switched, the version in use keeps running. Correct the settings and run this script again.'
  done
}

# "imgpipe" is the main pipeline; NAME stands for the units imgpipe-*@NAME that run or are enabled.
configured_pipelines() {
  printf 'imgpipe\n'
  {
    enabled_units
    units_in_state active,activating 'imgpipe-*@*.service'
  } | sed --quiet --regexp-extended 's/^imgpipe-(detector|detector-resume|reader)@(.+)\.service$/\2/p' | sort --unique
}

validate_settings() {
  local name=$1 options=()
  if [[ $name != imgpipe ]]; then
    options=("--property=EnvironmentFile=-$settings/$name.env" "--setenv=IMGPIPE_CONFIG=$settings/$name.json"
      "--setenv=IMGPIPE_STATE_DIR=$state/$name")
  fi
  systemd-run --quiet --wait --pipe --collect --uid=imgpipe --gid=imgpipe --working-directory=/ \
    --property="EnvironmentFile=-$settings/imgpipe.env" "${options[@]}" \
    "$release/bin/node" "$release/src/cli.ts" check-settings </dev/null
}

# Makes the release the one in use. If anything fails from here to the end, the EXIT trap calls go_back.
switch_release() {
  before=$(readlink "$current" || true)
  switching=yes
  install_units "$release"
  if [[ $before != "$release" ]]; then
    step "Switch to ${release##*/}${before:+ (in use until now: ${before##*/})}"
    changed=yes
    point_link "$release" "$current"
  fi
  reload_units
  enable_returning_units
  restart_readers
  switching=no
  if [[ -n $before && $before != "$release" ]]; then remember_release_before; fi
}

# After a rollback there is no version to roll back to: the one that was left is known to be unwanted.
remember_release_before() {
  if [[ -n ${INSTALL_ROLLBACK:-} ]]; then
    point_link "$before" "$rolled_back"
    remove "$previous"
  else
    point_link "$before" "$previous"
    remove "$rolled_back"
  fi
}

go_back() {
  set +e
  [[ -n $before && -d $before ]] || return 0
  error "the switch to ${release##*/} failed: going back to ${before##*/}."
  role=${installed_role:-$role}
  point_link "$before" "$current"
  install_units "$before"
  run systemctl daemon-reload
  enable_returning_units
  local unit failed=no
  for unit in "${active_readers[@]}"; do
    run systemctl reset-failed "$unit"
    run systemctl restart "$unit" && continue
    failed=yes
    show_log_of "$unit" >&2
  done
  if [[ $failed == no ]]; then
    error "${before##*/} is in use again and runs as before."
  else
    error "${before##*/} is in use again, but does not start either: the cause (see its log above) is not the new release."
  fi
}

# Every release contains the installer that puts it into use.
roll_back() {
  local target in_use
  in_use=$(readlink "$current" || true)
  target=$(rollback_target)
  [[ -x $target/deploy/install.sh ]] || die "$(no_such_release)"
  [[ $target != "$in_use" ]] || die "${target##*/} is in use already."
  local options=(--role "$role")
  [[ $dry_run == no ]] || options+=(--dry-run)
  step "From ${in_use##*/} to ${target##*/}, by its own installer"
  [[ -n $wanted_release ]] || export INSTALL_ROLLBACK=yes
  exec "$target/deploy/install.sh" "${options[@]}"
}

rollback_target() {
  if [[ -n $wanted_release ]]; then
    printf '%s\n' "$releases/$wanted_release"
  else
    readlink "$previous" || true
  fi
}

no_such_release() {
  local kept
  kept=$(find "$releases" -mindepth 1 -maxdepth 1 -not -name '.*' -printf '%f ' 2>/dev/null)
  if [[ -n $wanted_release ]]; then
    printf '%s is not on this host; --use takes one of: %s' "$wanted_release" "${kept:-none}"
  elif [[ -L $rolled_back ]]; then
    printf 'the last rollback left no earlier version. Versions on this host: %s; to use one: --use VERSION.' "$kept"
  else
    printf 'there is no earlier version on this host to roll back to.'
  fi
}
