# Paths on the host. "prefix" is empty on a real host; the tests set it to a directory of their own.
# shellcheck shell=bash disable=SC2034,SC2154 # one program in several files: they share variables

program=$prefix/opt/imgpipe
releases=$program/releases
current=$program/current
previous=$program/previous
# The version that the last --rollback left.
rolled_back=$program/rolled-back
node_directory=$program/node
# Which worker this host was installed for.
role_file=$program/role
# Enabled units that a change of the role has removed: they are enabled again when their role returns.
enabled_file=$program/enabled-units
units=$prefix/etc/systemd/system
settings=$prefix/etc/imgpipe
state=$prefix/var/lib/imgpipe
cache=$prefix/var/cache/imgpipe
command_file=$prefix/usr/local/bin/imgpipe
# Present only where sudo does not search /usr/local/bin.
command_link=$prefix/usr/bin/imgpipe
sysusers_file=$prefix/etc/sysusers.d/imgpipe.conf
tmpfiles_file=$prefix/etc/tmpfiles.d/imgpipe.conf
fstab=$prefix/etc/fstab
processes=/proc
