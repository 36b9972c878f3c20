#!/bin/sh
# ensure-engine.sh NODE: makes sure that a Docker engine answers. One that is installed is started if we may; with none
# installed the distribution's is installed when this runs as root; else the commands to type are printed and the exit
# status is 3. An engine chosen by DOCKER_HOST or by a Docker context is left alone: the agent will say what it finds.
set -eu
node=$1
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
. "$root/scripts/lib/progress.sh"

answers() { "$node" "$root/scripts/lib/ping-engine.mjs"; }

wait_for_engine() { # SECONDS
  until=$(($(tenths) + $1 * 10))
  while [ "$(tenths)" -lt "$until" ]; do
    if answers; then return 0; fi
    sleep 0.3
  done
  return 1
}

under_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }
is_root() { [ "$(id -u)" = 0 ]; }

# Each way in turn until one brings an engine that answers. What is started here outlives this script.
start_engine() {
  log=/var/log/dockerd.log
  started=$(tenths)
  say "  starting the Docker engine …"
  if under_systemd; then
    if is_root; then systemctl start docker >&2 || return 1
    else sudo -n systemctl start docker 2>/dev/null || return 1; fi
    wait_for_engine 60 || return 1
  elif is_root; then
    if { [ -x /etc/init.d/docker ] && service docker start >/dev/null 2>&1 && wait_for_engine 15; }; then :
    else
      setsid "$dockerd" >"$log" 2>&1 </dev/null &
      wait_for_engine 60 || { tail -n 5 "$log" | sed 's/^/    /' >&2; return 1; }
    fi
  else
    sudo -n service docker start >/dev/null 2>&1 || return 1
    wait_for_engine 60 || return 1
  fi
  say "✔ Docker engine started ($(seconds_since "$started"))"
}

status=0
answers || status=$?
case $status in
  0) exit 0 ;;
  2)
    give_up "You may not use the Docker engine of this machine." "Run this, log in again, then repeat the command:" \
      "sudo usermod -aG docker $(id -un)"
    ;;
esac

PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin
if ! dockerd=$(command -v dockerd); then
  if ! may_install_packages; then
    command -v apt-get >/dev/null || give_up "A Docker engine (20.10 or newer) is needed." \
      "Install one with your system's package manager, then run this command again."
    give_up "A Docker engine (20.10 or newer) is needed." "Run this, log in again, then repeat the command:" \
      "sudo apt-get update && sudo apt-get install -y docker.io && sudo usermod -aG docker $(id -un)"
  fi
  mkdir -p "$root/.node"
  apt_install "installing the distribution's Docker engine" "$root/.node/apt.log" docker.io ca-certificates || give_up \
    "The distribution's package docker.io could not be installed." "See $root/.node/apt.log, then run this command again."
  dockerd=$(command -v dockerd)
  if wait_for_engine 5; then exit 0; fi
fi

if start_engine; then exit 0; fi
if under_systemd; then
  give_up "The Docker engine does not answer and could not be started." "Run this and read what it says:" \
    "sudo systemctl start docker && sudo systemctl status docker"
fi
give_up "The Docker engine does not answer and could not be started." "Run this and read what it says:" "sudo dockerd"
