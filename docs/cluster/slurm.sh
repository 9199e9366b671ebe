#!/bin/sh
# A folder of cases as an array of jobs, each with a GPU and a share of the cases.
#
#   sbatch --array=1-64 docs/cluster/slurm.sh INPUTS OUTPUTS [OPTION OF run ...]
#   PARTS=64 sbatch --array=3,17 docs/cluster/slurm.sh INPUTS OUTPUTS      some of its shares again
#
# Submitted from the project's folder. The array counts from 1; its last number is the number of
# shares unless PARTS says it.
#SBATCH --job-name=text3dsam
#SBATCH --gpus=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
#SBATCH --open-mode=append
#SBATCH --output=text3dsam-%A-%a.log
set -eu
cd "$SLURM_SUBMIT_DIR"
inputs=$1 outputs=$2
shift 2
OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
export OMP_NUM_THREADS
exec .venv/bin/python -m predict run "$inputs" "$outputs" --skip-existing \
    --part "$SLURM_ARRAY_TASK_ID/${PARTS:-$SLURM_ARRAY_TASK_MAX}" "$@"
