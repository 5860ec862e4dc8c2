#!/usr/bin/env bash
# The defenses that CBD is compared with, at lengths that two cores can finish: CIFAR-10, WRN-16-1, 10 % (sig 80 % of the
# target class), preset `quick`. The same 5 % of the images is set apart, clean, from the training set of all; the three
# defenses that repair a model and d-br share one, trained plainly for 15 epochs, whose figures their records hold as well.
#
# Command   experiments/cifar10-defenses.sh [SEED [DEFENSE...]]      (seed 1, all; cells done before are skipped)
# Hardware  2 cores with avx512_bf16: 2 to 10 minutes a cell, dbd 20, and 7 for each attack's backdoored model
# Result    results/cifar10-defenses/, the table in README.md, and docs/log.md
set -euo pipefail
cd "$(dirname "$0")/.."
seed=${1:-1}
shift || true
[ $# -gt 0 ] || set -- nad fine-pruning mcr abl d-br dbd
for defense in "$@"; do
  for attack in badnets blend sig wanet; do
    node bin/deconfound.js run --dataset cifar10 --data data/cifar-10-batches-py --attack "$attack" \
      --defense "$defense" --preset quick --clean-share 0.05 --seed "$seed" --record results/cifar10-defenses
  done
done
