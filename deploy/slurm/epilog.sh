#!/bin/sh
# Slurm's Epilog: takes the job out of the map that prolog.sh wrote, whatever GPUs it had.
# slurmd runs it as root without a PATH. It always succeeds: an Epilog that fails drains the node.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
map=${DCGM_HPC_JOB_MAPPING_DIR:-/run/dcgm-job-map}
job=${SLURM_JOB_ID:-}

say() { echo "meter epilog: $*" >&2; }

case ${job} in
    '' | *[!0-9]*)
        say "SLURM_JOB_ID is no number; nothing is done"
        exit 0
        ;;
    *) ;;
esac
[ -d "${map}" ] || exit 0

umask 022
(
    flock -w 5 9 || exit 1
    for file in "${map}"/[0-9]*; do
        grep -qxF "${job}" "${file}" 2>/dev/null || continue
        left=$(grep -vxF "${job}" "${file}")
        if [ -z "${left}" ]; then
            rm -f "${file}"
        else
            # written beside the files and moved over one, so that no reader sees half of it
            echo "${left}" >"${map}/.new" && mv -f "${map}/.new" "${file}"
        fi || say "cannot change ${file}"
    done
) 9<"${map}" || say "cannot lock ${map}; job ${job} stays in it"
exit 0
