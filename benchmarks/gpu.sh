#!/usr/bin/env bash
# All that waits for a GPU, in three calls of under ten minutes each, from the repository's root:
# is the graphed step the eager one, how many images a second against the report's loop on the same
# GPU, and the report's 64 ResNets through `search resnet --gpus 1` on Ray, on both data sets.
#
#   bash benchmarks/gpu_wheels.sh                            before, where PyPI is: fills .whl/
#   OUT=folder bash benchmarks/gpu.sh steps                  needs nothing; carry .whl/first
#   OUT=folder bash benchmarks/gpu.sh search mnist           carry .whl/second
#   OUT=folder bash benchmarks/gpu.sh search fashion-mnist   carry .whl/fashion
#
# Each writes $OUT/RESULTS-gpu-*.md, a search its store beside it. The python3 there has torch,
# torchvision, scikit-learn, numba, pandas, pyarrow, typer and pytest.
set -uo pipefail
python3 -c 'import torch; assert torch.cuda.is_available()' || exit 2
stage="${1:?steps, or search DATASET}${2:+-$2}"
out="${OUT:-.}/RESULTS-gpu-$stage.md"
site=/tmp/tune_mnist-site
export PYTHONPATH="$PWD:$site${PYTHONPATH:+:$PYTHONPATH}"
failed=0

section() { # title, seconds allowed, command...
  local title=$1 limit=$2
  shift 2
  printf '\n## %s\n\n    %s\n\n```\n' "$title" "$*" >>"$out"
  timeout "$limit" "$@" >>"$out" 2>&1 || { echo "FAILED (exit $?)" >>"$out"; failed=1; }
  echo '```' >>"$out"
}

steps() {
  section "Graphed losses equal eager ones, with a schedule too; wide configurations learn" 150 \
    python3 -m pytest -q -p no:cacheprovider --noconftest tests/training/resnet/test_cuda_graph.py
  for architecture in resnet18 resnet50; do
    for batch in 16 32; do
      section "$architecture, batch $batch: images/s, ours and the report's loop" 115 \
        python3 -m benchmarks.resnet_step --device cuda --rounds 2 \
        --architecture "$architecture" --batch-size "$batch"
    done
  done
}

install() { # Ray's two halves, and what else is missing there
  local wheels=/tmp/tune_mnist-wheels
  [ -d "$site/ray" ] && return
  mkdir -p "$wheels"
  cp .whl/second/*.whl "$wheels"
  for half in .whl/first/ray-*.whl.part1; do
    cat "$half" .whl/second/ray-*.whl.part2 >"$wheels/$(basename "$half" .part1)"
  done
  python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --target "$site" \
    "$wheels"/*.whl
}

search() { # data set
  local results="/tmp/tune_mnist-results-$1"
  install >>"$out" 2>&1 || failed=1
  export TUNE_MNIST_DATA=/tmp/tune_mnist-data
  mkdir -p "$TUNE_MNIST_DATA"
  # fashion-mnist comes with the last call only; a data set that is missing is named by its search
  cp -r .whl/first/mnist .whl/fashion/fashion-mnist "$TUNE_MNIST_DATA" 2>/dev/null
  section "A search of four ResNets on digits" 90 \
    python3 -m tune_mnist search resnet --dataset digits --gpus 1 --trials 4 --results "$results"
  section "A search of four wide ResNets on digits: schedules, augmentation, weight decay" 90 \
    python3 -m tune_mnist search resnet-wide --dataset digits --gpus 1 --trials 4 \
    --results "$results"
  section "The report's 64 ResNets on $1, four at a time" 330 \
    python3 -m tune_mnist search report/resnet --dataset "$1" --gpus 1 --gpus-per-trial 0.25 \
    --time-budget 300 --results "$results"
  section "Its best" 30 \
    python3 -m tune_mnist leaderboard --dataset "$1" --top 10 --results "$results"
  tar -czf "${OUT:-.}/results-gpu-$1.tgz" -C "$results" .
}

{
  echo "# ResNet on a GPU: $stage, $(date -u +%Y-%m-%dT%H:%MZ), commit $(git rev-parse --short HEAD 2>/dev/null)"
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  python3 -c 'import torch, torchvision; print("torch", torch.__version__, "torchvision", torchvision.__version__)'
} >"$out" 2>&1
case "$1" in
  steps) steps ;;
  search) search "${2:?mnist or fashion-mnist}" ;;
  *) echo "steps, or search DATASET" >&2; exit 2 ;;
esac
cat "$out"
exit "$failed"
