#!/usr/bin/env bash
# Does every attack fool an undefended network? CIFAR-10, WRN-16-1, all 50,000 images, no defense, rates the attacks' own
# (10 %; clean-label ones 80 % of the target class; adap-* 0.3 %), 10 epochs, and wanet also for 30.
#
# Command   experiments/cifar10-attacks.sh [SEED]      (seed 1; cells done before are skipped)
# Hardware  2 cores with avx512_bf16: about 6 minutes a cell of 10 epochs, trained attacks 7 to 20 minutes more
# Result    results/cifar10-attacks/, the table in README.md, and docs/log.md
set -euo pipefail
cd "$(dirname "$0")/.."
seed=${1:-1}
cell() {
  node bin/deconfound.js run --dataset cifar10 --data data/cifar-10-batches-py --defense none --seed "$seed" \
    --record results/cifar10-attacks "$@"
}
for attack in badnets trojan blend sig dynamic wanet adaptive label-consistent adap-blend adap-patch two-triggers; do
  cell --epochs 10 --attack "$attack"
done
cell --epochs 30 --attack wanet
cell --epochs 10 --attack wanet --attack.noise true
cell --epochs 10 --attack badnets --labelling all-to-all
