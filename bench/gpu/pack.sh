#!/usr/bin/env bash
# Packs what a machine without network needs besides the tracked files: Node, compiled TypeScript, and node_modules
# pruned to what runs (tests included). Prints the size of each part.
#
#   bench/gpu/pack.sh FOLDER      then, over there, in the repository's root:  bash FOLDER/unpack.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
to=${1:?usage: bench/gpu/pack.sh FOLDER}
mkdir -p "$to"
xz -T0 -c "$(readlink -f "$(command -v node)")" >"$to/node.xz"
unused=(typescript '@typescript' '@biomejs' '@types')
tar -cJf "$to/modules.tar.xz" "${unused[@]/#/--exclude=node_modules/}" node_modules dist
cat >"$to/unpack.sh" <<'UNPACK'
# Unpacks Node to ~/node/bin and the rest into the current folder. Then: export PATH=$HOME/node/bin:$PATH
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p ~/node/bin
[ -x ~/node/bin/node ] || { xz -dc "$here/node.xz" >~/node/bin/node && chmod +x ~/node/bin/node; }
printf '#!/bin/sh\nexec node "node_modules/$1/$(node -p "Object.values({ bin: require(\\"./node_modules/$1/package.json\\").bin }.bin)[0]")" "${@:2}"\n' >~/node/bin/npx
sed -i '1s/.*/#!\/usr\/bin\/env bash/' ~/node/bin/npx
chmod +x ~/node/bin/npx
tar -xJf "$here/modules.tar.xz"
UNPACK
du -h "$to"/*
