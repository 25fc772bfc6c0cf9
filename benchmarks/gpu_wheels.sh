#!/usr/bin/env bash
# Fill .whl/ with what benchmarks/gpu.sh needs on a machine that has torch, and no way to PyPI: Ray
# in two halves (its wheel is too large for one transfer), the other missing packages, the data.
#
#   bash benchmarks/gpu_wheels.sh [DATA]       DATA holds mnist/ and fashion-mnist/ as IDX files
#
# The packages are those of Python 3.12 on x86-64, at the versions of constraints.txt; an SVM's
# scikit-learn-intelex stays at home.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${1:-${TUNE_MNIST_DATA:?say where the data sets are}}
python=${PYTHON:-.venv/bin/python}
missing=(ray jsonschema jsonschema-specifications referencing rpds-py optuna alembic SQLAlchemy Mako
  colorlog cmaes pydantic pydantic-core annotated-types typing-inspection plotly)
platforms=()
for glibc in 2_34 2_31 2_28 2_27 2_24 2_17; do platforms+=(--platform "manylinux_${glibc}_x86_64"); done
platforms+=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)

rm -rf .whl
mkdir -p .whl/first .whl/second .whl/fashion
"$python" -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 \
  --implementation cp "${platforms[@]}" --constraint constraints.txt --dest .whl/second "${missing[@]}"
ray=$(basename .whl/second/ray-*.whl)
split --number=2 --numeric-suffixes=1 --suffix-length=1 ".whl/second/$ray" ".whl/first/$ray.part"
rm ".whl/second/$ray"
mv ".whl/first/$ray.part2" .whl/second/
cp -r --no-preserve=mode "$data/mnist" .whl/first/mnist
cp -r --no-preserve=mode "$data/fashion-mnist" .whl/fashion/fashion-mnist
du -sh .whl/*
