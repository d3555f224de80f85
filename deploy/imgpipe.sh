#!/bin/sh
# /usr/local/bin/imgpipe: the installed program, with the Node, the settings and the credentials of the units.
set -eu

# NAME=VALUE lines of the file that the units read (EnvironmentFile=); what the caller has set already wins.
if [ -r /etc/imgpipe/imgpipe.env ]; then
  while IFS='=' read -r name value; do
    case $name in
      '' | [!A-Za-z_]* | *[!A-Za-z0-9_]*) continue ;;
    esac
    value=${value#[\"\']}
    value=${value%[\"\']}
    if ! printenv "$name" >/dev/null; then export "$name=$value"; fi
  done </etc/imgpipe/imgpipe.env
fi
if [ -r /etc/imgpipe/credentials ]; then
  : "${AWS_SHARED_CREDENTIALS_FILE:=/etc/imgpipe/credentials}"
  export AWS_SHARED_CREDENTIALS_FILE
fi

exec /opt/imgpipe/current/bin/node /opt/imgpipe/current/src/cli.ts "$@"
