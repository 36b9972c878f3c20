#!/bin/bash
# clean-root.sh DIR COMMAND...: runs COMMAND as root on a clean Debian of its own, as a new user's machine would.
#
# DIR becomes the root directory; it is made by debootstrap if it is empty (about a minute). Mounts, processes, host name
# and network are its own, so an engine can be installed and started inside beside one that runs outside; it reaches the
# world through this machine by address translation. The package settings of this machine (apt, npm, proxies,
# certificates) are carried in. What was started inside ends with COMMAND; DIR stays. SUITE picks the Debian release.
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: clean-root.sh DIR COMMAND..." >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "clean-root.sh: only root can make a root of its own" >&2; exit 3; }
mkdir -p "$1"
dir=$(cd "$1" && pwd -P)
shift
suite=${SUITE:-bookworm}

# Settings of package managers, and what reaching their servers takes.
carried=(/etc/apt/apt.conf.d /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/auth.conf.d /etc/resolv.conf /etc/hosts
  /etc/npmrc /usr/local/share/ca-certificates /etc/ssl/certs)
variables=(http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY npm_config_registry
  NODE_EXTRA_CA_CERTS SSL_CERT_FILE SSL_CERT_DIR)

make_root() {
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" 2>/dev/null | head -n 1 || true)
  debootstrap --variant=minbase --include=ca-certificates,git,iproute2,procps "$suite" "$dir" ${mirror:+"$mirror"} \
    >"$dir.debootstrap.log" 2>&1 || { tail -n 5 "$dir.debootstrap.log" >&2; exit 3; }
  rm -f "$dir.debootstrap.log"
  # Nothing here must survive a power cut: four hundred packages install in a tenth of the time.
  echo force-unsafe-io >"$dir/etc/dpkg/dpkg.cfg.d/unsafe-io"
}

carry_in() { # SOURCE TARGET: a copy of what the source is, links resolved
  [ -e "$1" ] || return 0
  rm -rf "${dir:?}$2"
  mkdir -p "$(dirname "$dir$2")"
  # A dangling link among certificates is no reason to fail.
  cp -aL "$1" "$dir$2" 2>/dev/null || true
}

[ -e "$dir/etc/debian_version" ] || make_root
# The one that debootstrap wrote, where this machine keeps its sources elsewhere.
[ -e /etc/apt/sources.list ] || rm -f "$dir/etc/apt/sources.list"
for path in "${carried[@]}"; do carry_in "$path" "$path"; done
carry_in "${HOME:-/root}/.npmrc" /root/.npmrc

environment=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "TERM=${TERM:-dumb}")
for name in "${variables[@]}"; do
  [ -n "${!name:-}" ] || continue
  environment+=("$name=${!name}")
  if [ -f "${!name}" ]; then carry_in "${!name}" "${!name}"; fi
done

# A network of its own, joined to this machine by a cable: .1 is here, .2 inside.
net=bai-clean-$$ cable=baic$$ subnet=10.213.$((RANDOM % 256))
rules=("FORWARD -i $cable -j ACCEPT" "FORWARD -o $cable -j ACCEPT" "POSTROUTING -s $subnet.0/30 -j MASQUERADE")
rule() { # -I|-D RULE
  local table=filter
  case $2 in POSTROUTING*) table=nat ;; esac
  # shellcheck disable=SC2086 # a rule is several words
  iptables -w -t "$table" "$1" $2
}
clean_up() {
  for each in "${rules[@]}"; do rule -D "$each" 2>/dev/null || true; done
  ip link delete "$cable" 2>/dev/null || true
  ip netns delete "$net" 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM
ip netns add "$net"
ip link add "$cable" type veth peer name eth0 netns "$net"
ip address add "$subnet.1/30" dev "$cable"
ip link set "$cable" up
ip -n "$net" address add "$subnet.2/30" dev eth0
ip -n "$net" link set eth0 up
ip -n "$net" link set lo up
ip -n "$net" route add default via "$subnet.1"
echo 1 >/proc/sys/net/ipv4/ip_forward
for each in "${rules[@]}"; do rule -I "$each"; done

status=0
# shellcheck disable=SC2016 # expanded by the inner shell
nsenter --net="/run/netns/$net" unshare --mount --uts --pid --fork --kill-child bash -c '
  set -e
  dir=$1
  shift
  mount --make-rprivate /
  mount --bind "$dir" "$dir"
  cd "$dir"
  mkdir -p proc sys dev outside
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  mount -t tmpfs tmpfs run
  mount -t tmpfs tmpfs tmp
  pivot_root . outside
  umount -l /outside
  rmdir /outside
  hostname clean
  cd /root
  exec env -i "${@}"' -- "$dir" "${environment[@]}" "$@" || status=$?
exit "$status"
