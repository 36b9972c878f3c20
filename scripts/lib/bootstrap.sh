# Sourced by the launcher: bootstrap ROOT sets $node to a Node.js that can run the agent, with the locked dependencies
# installed and the program built. When all is done already it costs a few hundredths of a second.

# The oldest releases that have all we need: 20.19 and 22.12 load ECMAScript modules with require().
node_is_current() {
  version=$("$1" --version 2>/dev/null) || return 1
  version=${version#v} major=${version%%.*} minor=${version#*.} minor=${minor%%.*}
  case $major in
    20) [ "$minor" -ge 19 ] ;;
    22) [ "$minor" -ge 12 ] ;;
    *) [ "$major" -gt 22 ] ;;
  esac
}

find_node() {
  for node in "$(command -v node || :)" "$root/.node/bin/node"; do
    if [ -n "$node" ] && node_is_current "$node"; then return 0; fi
  done
  node=
  return 1
}

lock_hash() { sha256sum <"$root/package-lock.json"; }

# Installed by us from this very lock file, or by hand after it was changed last.
dependencies_are_current() {
  [ -e "$root/node_modules/.package-lock.json" ] || return 1
  read -r done_for 2>/dev/null <"$root/node_modules/.installed-for" || done_for=
  [ "$done_for" = "$1" ] || [ "$root/node_modules/.package-lock.json" -nt "$root/package-lock.json" ]
}

sources_hash() {
  (cd "$root" && find src runner scripts/build.mjs scripts/build-runner.mjs tsconfig.json tsconfig.build.json \
    package-lock.json -type f ! -name '*.test.ts' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
}

is_built() {
  [ "$wanted" = without-build ] || build_is_current "$(sources_hash)"
}

build_is_current() {
  read -r built_from 2>/dev/null <"$root/dist/.built-from" || return 1
  [ "$built_from" = "$1" ]
}

bootstrap() { # ROOT [without-build]
  root=$1 wanted=${2-all}
  if find_node && dependencies_are_current "$(lock_hash)" && is_built; then return 0; fi
  . "$root/scripts/lib/progress.sh"
  . "$root/scripts/lib/set-up.sh"
  set_up
}
