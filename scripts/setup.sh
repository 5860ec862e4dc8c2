#!/bin/sh
# Makes a checkout ready to run: npm packages, JavaScript, libtorch and a compiler, the addon. Does only what is
# missing or out of date, so that `make setup` may run before everything else. Exit 2: the message says what to do.
set -eu
cd -- "$(dirname -- "$0")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 2; }
has() { command -v "$1" >/dev/null 2>&1; }

# Two first runs at once take turns. Where there is no flock, or the file system has no locks, nobody waits.
if has flock; then exec 9<package.json; flock 9 2>/dev/null || true; fi

check_node() {
  has node || fail 'Cannot find Node: install version 20.19 or newer with npm, for instance from https://nodejs.org'
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
    fail "Cannot use Node $(node --version): install version 20.19 or newer, for instance from https://nodejs.org"
}

# The stamp is the lock file that was installed: a branch switched there and back costs nothing.
install_npm_packages() {
  if cmp -s package-lock.json node_modules/.installed-lock.json; then return; fi
  has npm || fail 'Cannot find npm: install it beside Node, for instance from https://nodejs.org'
  say 'Installing the npm packages into node_modules'
  # No package here needs its install scripts, and npm 12 runs none.
  npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2 ||
    fail 'Cannot install the npm packages, for the reason above: see to it and run make setup again'
  cp package-lock.json node_modules/.installed-lock.json
}

# Folders count too: a file removed or renamed is a change.
compile_typescript() {
  if [ -e dist/.compiled ] && [ -z "$(find src bench scripts test tsconfig.json node_modules/.installed-lock.json \
    \( -name '*.ts' -o -name '*.tsx' -o -name '*.css' -o -name '*.html' -o -name '*.svg' -o -name '*.json' -o -type d \) -newer dist/.compiled | head -n 1)" ]; then return; fi
  say 'Compiling the TypeScript into dist'
  mkdir -p dist
  # The stamp is as old as the start, so that a file saved meanwhile is compiled next time.
  touch dist/.compiling
  node_modules/.bin/tsc -p . >&2 || fail 'Cannot compile the TypeScript, for the reason above'
  npm run -s build:page -- --logLevel warn >&2 || fail 'Cannot build the page, for the reason above'
  mv dist/.compiling dist/.compiled
}

# Prints what compiling the addon lacks: libtorch, compiler. Status 3: an addon is there already.
missing_for_addon() {
  node --input-type=module -e '
    import { rememberedAddon } from "./dist/src/tensor/build.js"
    import { findLibtorch } from "./dist/src/tensor/libtorch.js"
    if (rememberedAddon()) process.exit(3)
    try { findLibtorch() } catch (error) {
      if (!error.code) throw error
      if (process.env.LIBTORCH) { console.error(error.message); process.exit(2) }
      console.log("libtorch")
    }
  ' || return
  has "${CXX:-c++}" || echo compiler
}

install_system_packages() { # what is missing
  case " $* " in *' compiler '*) [ -z "${CXX:-}" ] || fail "Cannot find the compiler that CXX names: '$CXX'" ;; esac
  has apt-get || fail "Cannot go on without $(say_list "$@"). On this system install them yourself:
  compiler: g++ or clang++ (on macOS: xcode-select --install)
  libtorch: pip install torch in a Python on the PATH, or unpack libtorch from https://pytorch.org and set LIBTORCH"
  packages=
  for lacking in "$@"; do
    case $lacking in
      libtorch) want libtorch-dev; want libopenblas0-pthread ;;
      compiler) want g++ ;;
    esac
  done
  has make || want make
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    has sudo || fail "Cannot install$packages without root: run 'apt-get install --no-install-recommends$packages' as root"
    as_root=sudo
  fi
  knows_packages || { say 'Updating the lists of system packages'; apt_get update || true; }
  knows_packages || fail "Cannot find the system packages$packages with apt.
Instead of libtorch-dev: pip install torch in a Python on the PATH, or unpack libtorch and set LIBTORCH to its folder"
  say "Installing the system packages$packages ($(say_list "$@") for the addon); this takes a few minutes"
  apt_get install || { say 'Trying once more with new lists of packages'; apt_get update && apt_get install; } ||
    fail "Cannot install$packages, for the reason above"
}

say_list() { echo "$*" | sed 's/libtorch/libtorch with headers/; s/compiler/a C++ compiler/; s/ a C++/ and a C++/'; }
want() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' || packages="$packages $1"; }

# Where apt knows no g++, it takes the name for a pattern; a search says with certainty what it knows.
knows_packages() {
  for package in $packages; do
    pattern=$(echo "$package" | sed 's/+/\\+/g')
    apt-cache search --names-only "^$pattern\$" | grep -q . || return 1
  done
}

# Another process may hold apt's lock: two minutes are granted. Its many words are shown when it fails.
apt_get() {
  log=$(mktemp)
  set -- "$1" -y -q -o DPkg::Lock::Timeout=120
  if [ "$1" = install ]; then set -- "$@" --no-install-recommends $packages; fi
  if $as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@" >"$log" 2>&1 </dev/null; then rm -f "$log"; return; fi
  tail -n 20 "$log" >&2
  rm -f "$log"
  return 1
}

check_node
install_npm_packages
compile_typescript
missing=$(missing_for_addon) || { [ $? -eq 3 ] || exit 2; }
# shellcheck disable=SC2086 # words are meant
if [ -n "$missing" ]; then install_system_packages $missing; fi
node scripts/build-addon.js
say 'Ready'
