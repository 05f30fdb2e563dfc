#!/usr/bin/env bash
# What a GPU changes, in under ten minutes: are the numbers right there, how long is a step in float32, TF32 and mixed
# precision, how much of its memory does training take, how near to its products is an evaluation, and a short row of a
# published table.
#
#   bash benchmarks/accelerator.sh [FOLDER]      from the root of the checkout, in its environment
#
# Each part has its share of the time and writes a file to FOLDER (benchmarks/results/accelerator); one that fails is
# named at the end, and the others go on. On a machine whose JAX has no accelerator it stops at once, unless
# IWAX_ANY_DEVICE=1 asks for a trial.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-benchmarks/results/accelerator}
failed=()
mkdir -p "$folder"

if [[ -z "${IWAX_ANY_DEVICE:-}" ]] && ! python -c 'import jax, sys; sys.exit(jax.default_backend() == "cpu")'; then
    echo "JAX finds no accelerator here: install JAX for it first (docs/how_to/devices.md), or try with IWAX_ANY_DEVICE=1" >&2
    exit 1
fi

# part NAME SECONDS COMMAND...: what it prints goes to a file of its name
part() {
    local name=$1 limit=$2 began=$SECONDS status
    shift 2
    timeout --kill-after=10 "$limit" "$@" >"$folder/$name.txt" 2>"$folder/$name.log"
    status=$?
    if ((status)); then
        failed+=("$name (exit code $status$( ((status == 124)) && echo ", over its $limit s"); $folder/$name.log)")
    fi
    printf '%-16s %4d s   %s\n' "$name" "$((SECONDS - began))" "$( ((status)) && echo failed || tail -n 1 "$folder/$name.txt")"
}

steps=(python benchmarks/step.py --peers --rounds 5 --block 0.2)
part doctor 40 iwax doctor
part numerics 150 python -m pytest -q tests/numerics tests/laws/test_bounds.py tests/laws/test_mixed_precision.py
part step-float32 110 env JAX_DEFAULT_MATMUL_PRECISION=highest "${steps[@]}"
part step-tf32 110 env JAX_DEFAULT_MATMUL_PRECISION=tensorfloat32 "${steps[@]}"
part memory 40 python benchmarks/cost.py --seconds 2 --point '{"k": 500}'
part evaluation 40 python benchmarks/evaluation.py --rounds 5
part reproduction 90 iwax reproduce burda2016 --rows mnist-1-iwae-k5 --epochs 2 --limit 500 --output "$folder/rows"

if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "whole in $SECONDS s: $folder"
