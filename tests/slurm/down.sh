#!/bin/bash
# Stop what up.sh started, by pid file, its jobs first. Logs (/var/log/slurm-tests) and a key of munge's stay.
set -uo pipefail
grep -qs tests/slurm/up.sh /etc/slurm/slurm.conf || exit 0
scancel --user "$(id -un)" --full 2>/dev/null
for _ in $(seq 100); do
    [ -z "$(squeue --noheader 2>/dev/null)" ] && break
    sleep 0.1
done
pids=()
files=(/run/slurm-tests/*.pid)
[ -e /run/slurm-tests/munged.is.ours ] && files+=(/run/munge/munged.pid)
for file in "${files[@]}"; do
    [ -s "$file" ] && pids+=("$(cat "$file")")
done
kill "${pids[@]}" 2>/dev/null
for _ in $(seq 100); do
    kill -0 "${pids[@]}" 2>/dev/null || break
    sleep 0.1
done
rm -rf /var/spool/slurm-tests /run/slurm-tests /etc/slurm/slurm.conf /etc/slurm/gres.conf
