#!/bin/sh
# An OpenSSH server on a machine that has the files of a BIG-IP: the host's own, but for /config, /VERSION and /lab.
#   device-sshd.sh ROOT CONFIG LAB [DIRECTORY...]      ROOT: an empty directory; CONFIG becomes /config, LAB /lab with sshd_config and
#   VERSION; the directories are seen there as well
set -e
root=$1
mount -t tmpfs none "$root"
for name in bin sbin lib lib64 usr etc root dev proc sys tmp; do
  if [ -L "/$name" ]; then
    cp -a "/$name" "$root/"
  elif [ -d "/$name" ]; then
    mkdir "$root/$name"
    mount --rbind "/$name" "$root/$name"
  fi
done
mkdir -p "$root/run/sshd" "$root/config" "$root/lab"
mount --bind "$2" "$root/config"
mount --bind "$3" "$root/lab"
[ ! -f "$3/VERSION" ] || cp "$3/VERSION" "$root/VERSION"
shift 3
for directory; do
  mkdir -p "$root$directory"
  mount --bind "$directory" "$root$directory"
done
exec chroot "$root" /usr/sbin/sshd -D -e -f /lab/sshd_config
