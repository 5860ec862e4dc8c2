#!/usr/bin/env bash
# How CBD behaves on CIFAR-10: badnets at 10 %, WRN-16-1, all 50,000 images, no defense (and training on clean data) and
# both CBD presets; how the confounder's losses and the sample weights of poisoned and clean images part, by epoch.
#
# Command   experiments/cifar10-cbd.sh [EPOCHS [SEED]]      (15 epochs, seed 1; cells done before are skipped)
# Hardware  2 cores with avx512_bf16: 7 to 25 minutes a cell
# Result    results/cifar10-cbd/, the table in README.md, and docs/log.md
set -euo pipefail
cd "$(dirname "$0")/.."
epochs=${1:-15} seed=${2:-1}
cell() {
  node bin/deconfound.js run --dataset cifar10 --data data/cifar-10-batches-py --attack badnets --target 0 \
    --epochs "$epochs" --seed "$seed" --record results/cifar10-cbd "$@"
}
cell --defense none --rate 0.1
cell --defense cbd --preset paper --rate 0.1
cell --defense cbd --preset released --rate 0.1
cell --defense none --rate 0
