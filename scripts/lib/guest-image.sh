# Builds what the guest of the interop tests boots: a Debian kernel and an initramfs with the programs of this machine.
# Sourced after say.sh. Nothing is installed: another kernel among those that a machine may boot is nobody's wish.

# Programs of the guest; prepare.sh lists their packages.
GUEST_PROGRAMS='dash ip bridge modprobe ethtool tcpdump ping traceroute tracepath iperf3 socat'

# Modules by name; what they depend on comes along.
GUEST_MODULES='virtio_pci virtio_net virtio_console af_packet
  veth bridge dummy vrf 8021q vxlan geneve gre ip_gre ip6_gre ipip sit ip6_tunnel fou macsec
  xfrm_user xfrm_interface esp4 esp6 ah4 ah6 ipcomp ipcomp6 xfrm4_tunnel xfrm6_tunnel deflate crypto_null authenc authencesn
  seqiv echainiv drbg jitterentropy_rng aes_generic gcm ctr ghash-generic cbc ecb des_generic sha1_generic sha256_generic sha512_generic hmac'

guest_directory() { printf '%s/wideplane/guest' "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}"; }

# What the image is made from; a newer kernel alone is no reason to build again.
guest_recipe() { cat scripts/lib/guest-image.sh scripts/lib/guest-init | sha256sum; }

prepare_guest() {
  local directory
  directory=$(guest_directory)
  [ "$(cat "$directory/recipe" 2>/dev/null)" = "$(guest_recipe)" ] && return
  [ "$(dpkg --print-architecture)" = amd64 ] || fail "the guest of the interop tests is made for x86-64 machines only"
  say "building the guest kernel's image in $directory"
  local work
  work=$(mktemp -d)
  mkdir -p "$directory"
  rm -f "$directory/recipe"
  # In the background, because bash would take no notice of a failure inside anything that stands before `||`.
  build_guest "$work" "$directory" >"$work/log" 2>&1 &
  wait $! || { tail -n 20 "$work/log" >&2 && fail "the guest's image could not be built (all output is in $work/log)"; }
  guest_recipe >"$directory/recipe"
  rm -rf "$work"
}

# build_guest WORK DIRECTORY: leaves kernel and initramfs in DIRECTORY.
build_guest() {
  set -euo pipefail
  local work=$1 directory=$2 root=$1/root package version
  apt-cache show linux-image-cloud-amd64 >"$work/package" 2>/dev/null || apt-get update -q
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
  chmod 755 "$work" # apt downloads as an account of its own
  install -d -o _apt "$work/download"
  (cd "$work/download" && apt-get download -q "$package")
  dpkg-deb --extract "$work"/download/*.deb "$work/kernel"
  version=$(ls "$work/kernel/lib/modules")

  mkdir -p "$root"/{bin,dev,etc,lib/modules,proc,run,sys,tmp}
  copy_modules "$work/kernel" "$root" "$version"
  cp "$(command -v busybox)" "$root/bin/busybox"
  local applet program
  for applet in $("$root/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  for program in $GUEST_PROGRAMS; do copy_program "$program" "$root"; done
  # busybox's own shell would take its own ip and ping instead of the programs above.
  ln -sf dash "$root/bin/sh"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  install -m 755 scripts/lib/guest-init "$root/init"
  # Not compressed: an emulated processor takes longer to unpack it than to read it.
  (cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$directory/initramfs"
  cp "$work/kernel/boot/vmlinuz-$version" "$directory/kernel"
}

copy_modules() {
  local kernel=$1 root=$2 version=$3 module file
  depmod -b "$kernel" "$version"
  for module in $GUEST_MODULES; do
    # What is built in has no file.
    modprobe -d "$kernel" -S "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
  done | sort -u | while read -r file; do
    file=${file#"$kernel"}
    mkdir -p "$root$(dirname "$file")"
    cp "$kernel$file" "$root$file"
  done
  cp "$kernel/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$version/"
  depmod -b "$root" "$version"
}

# copy_program NAME ROOT: the program and the libraries that it is linked to.
copy_program() {
  local file library
  file=$(readlink -f "$(command -v "$1")")
  rm -f "$2/bin/$1"
  cp "$file" "$2/bin/$1"
  for library in $(ldd "$file" | grep -o '/[^ ]*'); do
    mkdir -p "$2$(dirname "$library")"
    cp -Lu "$library" "$2$library"
  done
}
