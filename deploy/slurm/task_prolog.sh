#!/bin/sh
# Slurm's TaskProlog: what it prints as "export NAME=value" is in the environment of each task, so
# that `meter run` and marks find the node's agent. It runs as the user.
socket=${METER_SOCKET:-/run/meter/agent.sock}
if [ -S "${socket}" ] && [ -w "${socket}" ]; then
    echo "export METER_SOCKET=${socket}"
    if [ -z "${METER_PROJECT:-}" ] && [ -n "${SLURM_JOB_ACCOUNT:-}" ]; then
        echo "export METER_PROJECT=${SLURM_JOB_ACCOUNT}"
    fi
fi
exit 0
