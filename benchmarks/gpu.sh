#!/usr/bin/env bash
# ResNet on a GPU, from end to end in under 25 minutes: is the graphed step the eager one, and how
# many images a second against the report's loop on the same GPU?
#
#   OUT=/tmp/figures bash benchmarks/gpu.sh        (from the repository's root; writes $OUT/RESULTS-gpu.md)
#
# Needs python3 with torch, torchvision, scikit-learn, pillow and pytest; no Ray.
set -uo pipefail
python3 -c 'import torch; assert torch.cuda.is_available()' || exit 2
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
out="${OUT:-.}/RESULTS-gpu.md"
failed=0

section() { # title, seconds allowed, command...
  local title=$1 limit=$2
  shift 2
  printf '\n## %s\n\n    %s\n\n```\n' "$title" "$*" >>"$out"
  timeout "$limit" "$@" >>"$out" 2>&1 || { echo "FAILED (exit $?)" >>"$out"; failed=1; }
  echo '```' >>"$out"
}

{
  echo "# ResNet on a GPU, $(date -u +%Y-%m-%dT%H:%MZ), commit $(git rev-parse --short HEAD 2>/dev/null)"
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  python3 -c 'import torch, torchvision; print("torch", torch.__version__, "torchvision", torchvision.__version__)'
} >"$out" 2>&1

section "Graphed losses equal eager ones" 300 \
  python3 -m pytest -q -p no:cacheprovider --noconftest tests/training/test_cuda_graph.py
for architecture in resnet18 resnet50; do
  for batch in 16 32; do
    section "$architecture, batch $batch: images/s, ours and the report's loop" 280 \
      python3 -m benchmarks.resnet_step --device cuda --rounds 2 \
      --architecture "$architecture" --batch-size "$batch"
  done
done
cat "$out"
exit "$failed"
