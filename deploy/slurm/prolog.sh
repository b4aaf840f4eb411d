#!/bin/sh
# Slurm's Prolog: writes which job has which GPU into the map that the agent (and DCGM) reads:
# in DCGM_HPC_JOB_MAPPING_DIR a file for each GPU index, with job ids, one a line.
# slurmd runs it as root without a PATH. It always succeeds: a Prolog that fails drains the node.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
map=${DCGM_HPC_JOB_MAPPING_DIR:-/run/dcgm-job-map}
job=${SLURM_JOB_ID:-}
# The node's own numbers first: those that CUDA sees may be counted within the job.
gpus=${SLURM_JOB_GPUS:-${CUDA_VISIBLE_DEVICES:-}}

say() { echo "meter prolog: $*" >&2; }

case ${job} in
    '' | *[!0-9]*)
        say "SLURM_JOB_ID is no number; nothing is mapped"
        exit 0
        ;;
    *) ;;
esac
[ -n "${gpus}" ] || exit 0

umask 022
if ! mkdir -p "${map}"; then
    say "${map} cannot be made; job ${job} is not mapped"
    exit 0
fi
(
    flock -w 5 9 || exit 1
    IFS=,
    set -f
    for gpu in ${gpus}; do
        case ${gpu} in
            '' | *[!0-9.]* | .* | *. | *.*.*)
                say "GPU '${gpu}' is no index; not mapped"
                continue
                ;;
            *) ;;
        esac
        grep -qxF "${job}" "${map}/${gpu}" 2>/dev/null && continue
        echo "${job}" >>"${map}/${gpu}" || say "cannot write ${map}/${gpu}"
    done
) 9<"${map}" || say "cannot use ${map}; job ${job} is not mapped"
exit 0
