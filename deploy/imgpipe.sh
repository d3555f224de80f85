#!/bin/sh
# /usr/local/bin/imgpipe: the installed program, with the Node, the settings and the credentials of the units.
set -eu

settings=/etc/imgpipe
state=/var/lib/imgpipe
current=/opt/imgpipe/current
# Resolved once: an upgrade keeps the release of a worker that was started by hand until it has ended.
release=$(readlink -f "$current")
user=imgpipe
carriage_return=$(printf '\r')

# Tells the program that this host is installed: what it is installed below.
IMGPIPE_HOST_ROOT=/
export IMGPIPE_HOST_ROOT

# Exports the NAME=VALUE lines of a file as EnvironmentFile= of the units does; what the caller has set takes precedence.
export_file() {
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line%"$carriage_return"}
    name=${line%%=*} value=${line#*=}
    name=${name#"${name%%[![:space:]]*}"}
    value=${value%"${value##*[![:space:]]}"}
    case $line in *=*) ;; *) continue ;; esac
    case $name in
      '' | [!A-Za-z_]* | *[!A-Za-z0-9_]*) continue ;;
    esac
    case $value in
      \"*\") value=${value#\"} value=${value%\"} ;;
      \'*\') value=${value#\'} value=${value%\'} ;;
    esac
    if ! printenv "$name" >/dev/null; then export "$name=$value"; fi
  done <"$1"
}

command_of() {
  is_value=no
  for word; do
    if [ "$is_value" = yes ]; then
      is_value=no
      continue
    fi
    case $word in
      --config | --pipeline) is_value=yes ;;
      -*) ;;
      *) printf %s "$word" && return ;;
    esac
  done
}
command=$(command_of "$@")

if [ -r "$settings/imgpipe.env" ]; then
  export_file "$settings/imgpipe.env"
elif [ -e "$settings/imgpipe.env" ] && [ "$command" != doctor ]; then
  printf 'imgpipe: %s cannot be read by you and is ignored: use sudo.\n' "$settings/imgpipe.env" >&2
fi
: "${AWS_SHARED_CREDENTIALS_FILE:=$settings/credentials}" "${AWS_CONFIG_FILE:=$settings/aws-config}"
export AWS_SHARED_CREDENTIALS_FILE AWS_CONFIG_FILE

# A worker that ran as root would leave files that the units cannot write.
case $(id -u):$command in
  0:detect | 0:read | 0:plan)
    HOME=$state
    export HOME
    if command -v setpriv >/dev/null; then
      # It becomes the program. runuser stays in between: at SIGTERM it kills a worker that is still finishing after 2 s.
      set -- setpriv --reuid="$user" --regid="$user" --init-groups -- "$release/bin/node" "$release/src/cli.ts" "$@"
    else
      PATH=$PATH:/usr/sbin:/sbin
      set -- runuser --user "$user" -- "$release/bin/node" "$release/src/cli.ts" "$@"
    fi
    ;;
  *) set -- "$release/bin/node" "$release/src/cli.ts" "$@" ;;
esac
exec "$@"
