#!/usr/bin/env bash
# Everything to measure on a machine with a GPU PyTorch, a Node and no network: builds the addon against the PyTorch it
# finds, runs the golden tests on the GPU, times steps, trains at full length. Each result is written as it is ready, and
# what is there already is not done again, so that the work can be cut into several calls.
#
#   bench/gpu/run.sh RESULTS [PART …]     parts: doctor golden steps train sweep (all, in this order, unless named)
#
#   DEVICE   cuda:0; `cpu` rehearses          EPOCHS   15 of `train`, 100 of `sweep`
#   DATA     data/cifar-10-batches-py         LIMIT    0: all training images, else as many (a rehearsal)
#   BATCHES  "128 512"                        ROUNDS   10: rounds of ten steps each
#   MINUTES  9: of `train` and of `sweep`, which go on with what was broken off
#
# Needs dist/ (npm run build's TypeScript half) and node_modules with what runs; bench/gpu/README.md tells how to bring
# them along. Rehearse: DEVICE=cpu EPOCHS=1 LIMIT=512 BATCHES=64 ROUNDS=1 MINUTES=1 bench/gpu/run.sh /tmp/gpu
set -uo pipefail
cd "$(dirname "$0")/../.."
results=$(mkdir -p "${1:?usage: bench/gpu/run.sh RESULTS [PART …]}" && cd "$1" && pwd)
shift
parts=${*:-doctor golden steps train sweep}
device=${DEVICE:-cuda:0}
failed=0

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }

doctor() {
  node scripts/build-addon.js && node bin/deconfound.js doctor --json >"$results/doctor.json"
}

golden() {
  [ -f "$results/golden.txt" ] && return
  DECONFOUND_TEST_DEVICE=$device npx vitest run test/golden >"$results/golden.part" 2>&1
  local status=$?
  tail -n 30 "$results/golden.part"
  [ $status -eq 0 ] && mv "$results/golden.part" "$results/golden.txt"
}

steps() {
  local batch precision file status=0
  for batch in ${BATCHES:-128 512}; do
    for precision in fp32 bf16; do
      file=$results/steps-$batch-$precision.json
      [ -f "$file" ] && continue
      node dist/bench/train-step.js --json --device "$device" --batch "$batch" --precision "$precision" --rounds "${ROUNDS:-10}" >"$file.part" &&
        mv "$file.part" "$file" && cat "$file" || status=1
    done
  done
  return $status
}

# Works on a sweep of experiments/, its records under RESULTS.
cells() {
  local plan=$results/$1.yaml
  sed -e "s|^record: .*|record: $results/$1|" -e "s|epochs: [0-9]*|epochs: ${EPOCHS:-$2}, dataset.limit: ${LIMIT:-0}, device: '$device'|" \
    -e "s|data/cifar-10-batches-py|${DATA:-data/cifar-10-batches-py}|" "experiments/$1.yaml" >"$plan"
  node bin/deconfound.js sweep "$plan" --runs "$results/runs" --minutes "${MINUTES:-9}"
  local status=$?
  [ $status -eq 0 ] || [ $status -eq 75 ] # saved, to be gone on with
}

train() { cells cbd 15; }

sweep() { cells paper-table1 100; }

for part in $parts; do
  say "$part"
  "$part" || { say "$part FAILED"; failed=1; }
done
exit $failed
