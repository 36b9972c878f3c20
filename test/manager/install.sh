#!/bin/bash
# What the real Manager needs on this machine: Debian packages, a Python environment with the released wheels, a kernel
# image. Idempotent; each part is kept where the next run finds it. Prints the Python to use as its last line.
# Exit status 3: this machine can't have it, and why.
#   MANAGER_VERSION   which release (26.9.6)
#   MANAGER_VENV      the Python environment; by default below $XDG_CACHE_HOME/backend.ai-agent
#   KERNEL_IMAGE      Docker image that the kernels are made of, built here if it is missing
set -euo pipefail

version=${MANAGER_VERSION:-26.9.6}
image=${KERNEL_IMAGE:-backend.ai-agent/manager-kernel:1}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/backend.ai-agent
venv=${MANAGER_VENV:-$cache/manager-$version}
# debootstrap makes the image, libfaketime wrong clocks; the rest are servers and their command-line clients.
packages=(postgresql redis-server etcd-server etcd-client docker-registry prometheus debootstrap curl openssh-client iproute2 libfaketime)

say() { printf 'test:manager: %s\n' "$*" >&2; }
impossible() {
  say "$*"
  exit 3
}

install_packages() {
  local missing=() package log
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || impossible "not a Debian or Ubuntu: install ${missing[*]} by hand"
  [ "$(id -u)" = 0 ] || impossible "run as root once, or install: ${missing[*]}"
  say "installing ${missing[*]}"
  log=$(mktemp)
  # Debian starts what it installs; the servers of the tests have ports and folders of their own.
  if ! (
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"
  ) >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    impossible "the packages could not be installed (whole log: $log)"
  fi
  rm -f "$log"
}

find_python() {
  local python
  for python in python3.13 "$HOME"/.pyenv/versions/3.13*/bin/python; do
    if "$python" -c 'import sys, venv; raise SystemExit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
      echo "$python"
      return 0
    fi
  done
  return 1
}

make_environment() {
  local python fresh=$venv.new parts=() part
  if [ -e "$venv/.complete" ]; then return 0; fi
  python=$(find_python) || impossible "no Python 3.13 (python3.13, or one below ~/.pyenv/versions)"
  say "making $venv (two or three minutes)"
  rm -rf "$fresh" "$venv"
  mkdir -p "$(dirname "$venv")"
  "$python" -m venv "$fresh"
  for part in manager agent client cli test install; do parts+=("backend.ai-$part==$version"); done
  # The wheels ask for a newer patch release of 3.13 than they need. The installer's wheel is only read: it pins others.
  "$fresh/bin/pip" install -q --ignore-requires-python "${parts[@]:0:5}" 'callosum[zeromq]==1.0.3' ||
    impossible "the wheels of Backend.AI $version could not be installed"
  "$fresh/bin/pip" install -q --ignore-requires-python --no-deps "${parts[5]}" ||
    impossible "the fixtures of Backend.AI $version could not be had"
  # Console scripts name their interpreter by its path.
  grep -rlI "$fresh" "$fresh/bin" "$fresh/pyvenv.cfg" | xargs -r sed -i "s#$fresh#$venv#g"
  mv "$fresh" "$venv"
  touch "$venv/.complete"
}

# The library of the last release that wrote events of generation A: the interop tests let it read ours.
older_library() {
  local folder=$cache/common-26.8.3
  [ -d "$folder" ] && return 0
  "$venv/bin/pip" install -q --ignore-requires-python --no-deps --target "$folder.new" backend.ai-common==26.8.3 &&
    mv "$folder.new" "$folder" || say "backend.ai-common 26.8.3 could not be had: generation A is not read back"
}

# Debian's own python3 and ipykernel, labelled as a Backend.AI image: no registry is needed for it.
build_image() {
  local root
  docker image inspect "$image" >/dev/null 2>&1 && return 0
  [ "$(id -u)" = 0 ] || impossible "run as root once: making the image $image needs debootstrap"
  say "building the image $image (two minutes)"
  root=$(mktemp -d /var/tmp/backend-ai-manager-image.XXXXXX)
  # shellcheck disable=SC2064
  trap "rm -rf --one-file-system '$root'" EXIT
  # What debootstrap leaves unconfigured, apt configures.
  debootstrap --variant=minbase --include=python3,python3-ipykernel,python3-jupyter-client,ca-certificates,procps,openssh-client \
    bookworm "$root" >"$root.log" 2>&1 || true
  chroot "$root" apt-get -y -q -f install >>"$root.log" 2>&1 || {
    tail -n 20 "$root.log" >&2
    impossible "debootstrap failed (whole log: $root.log)"
  }
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root.log"
  tar -C "$root" -c . | docker import \
    --change 'LABEL ai.backend.kernelspec="1" ai.backend.role="COMPUTE" ai.backend.base-distro="ubuntu20.04"' \
    --change 'LABEL ai.backend.features="query batch uid-match user-input"' \
    --change 'LABEL ai.backend.envs.corecount="OPENBLAS_NUM_THREADS,OMP_NUM_THREADS,NPROC"' \
    --change 'LABEL ai.backend.resource.min.cpu="1" ai.backend.resource.min.mem="64m"' \
    --change 'LABEL ai.backend.runtime-type="python" ai.backend.runtime-path="/usr/bin/python3"' \
    --change 'LABEL ai.backend.service-ports="ipython:pty:3000,jupyter:http:8081,jupyterlab:http:8090"' \
    - "$image" >/dev/null
}

install_packages
docker info >/dev/null 2>&1 || impossible "no Docker engine answers"
make_environment
older_library
build_image
echo "$venv/bin/python"
