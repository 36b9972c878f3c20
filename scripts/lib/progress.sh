# Sourced by the set-up scripts: lines of progress on stderr, and commands that run under such a line.

# A clock in tenths of a second that needs no other program.
tenths() {
  read -r up _ </proc/uptime
  echo "${up%.*}${up#*.}" | cut -c "1-$((${#up} - 2))"
}

seconds_since() { # START (tenths)
  passed=$(($(tenths) - $1))
  echo "$((passed / 10)).$((passed % 10)) s"
}

say() { printf '%s\n' "$*" >&2; }

# Ends the set-up: one line of cause, the rest what to do.
give_up() {
  say "✘ $1"
  shift
  for line in "$@"; do say "  $line"; done
  exit 3
}

# Fetching and installing are half of the work each.
percent_of() {
  [ ! -e "$1" ] || awk -F: '/^dlstatus/ { p = $3 / 2 } /^pmstatus/ { p = 50 + $3 / 2 } END { if (p) print int(p) }' "$1"
}

# run_step TEXT LOG COMMAND...: runs COMMAND with its output in LOG under a line that says how long it has been going on.
# Where the command writes apt's status lines to LOG.progress, the percentage is shown too. Returns the command's status.
run_step() {
  text=$1 log=$2
  shift 2
  started=$(tenths)
  rm -f "$log.progress"
  "$@" >"$log" 2>&1 </dev/null &
  job=$!
  trap 'kill "$job" 2>/dev/null || :; exit 130' INT TERM
  ticks=0
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.5
    ticks=$((ticks + 1))
    percent=$(percent_of "$log.progress")
    if [ -t 2 ]; then
      printf '\r  %s … %s%s   ' "$text" "${percent:+$percent %, }" "$(seconds_since "$started")" >&2
    elif [ $((ticks % 20)) = 0 ]; then
      say "  $text … ${percent:+$percent %, }$(seconds_since "$started")"
    fi
  done
  status=0
  wait "$job" || status=$?
  trap - INT TERM
  rm -f "$log.progress"
  [ ! -t 2 ] || printf '\r\033[K' >&2
  if [ "$status" = 0 ]; then
    say "✔ $text ($(seconds_since "$started"))"
  else
    say "✘ $text failed after $(seconds_since "$started"); the end of $log:"
    tail -n 8 "$log" | sed 's/^/    /' >&2
  fi
  return "$status"
}

# apt_install TEXT LOG PACKAGE...: installs distribution packages as root; package lists are fetched when needed.
apt_install() {
  text=$1 log=$2
  shift 2
  run_step "$text" "$log" apt_install_now "$log.progress" "$@"
}

apt_install_now() {
  export DEBIAN_FRONTEND=noninteractive
  # A clean machine has no package lists, an old one has lists of packages that are gone: both are seen by trying.
  apt_get_install "$@" || { apt-get -q update && apt_get_install "$@"; }
}

# apt tells its progress into a file: into a pipe it could be held open by a service that a package starts.
apt_get_install() { # PROGRESS PACKAGE...
  apt_status=$1
  shift
  apt-get -qy -o DPkg::Lock::Timeout=300 -o APT::Status-Fd=9 install --no-install-recommends "$@" 9>>"$apt_status"
}

may_install_packages() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
