#!/bin/sh
# Example of /etc/imgpipe/on-failure: publishes the last log lines of the failed unit to an SNS topic. The role of the
# host needs sns:Publish on that topic.
set -eu
unit=$1
topic=arn:aws:sns:us-east-1:123456789012:imgpipe

# 75: the detector was stopped by an operator, or has made the calls of "maxCallsPerDay".
if [ "${MONITOR_EXIT_STATUS:-}" = 75 ]; then exit 0; fi

message=$(journalctl --quiet --no-pager --output=cat --lines=20 "_SYSTEMD_INVOCATION_ID=${MONITOR_INVOCATION_ID:-none}")
exec aws sns publish --topic-arn "$topic" --subject "$unit failed on $(uname -n)" --message "${message:-no log lines}"
