#!/bin/bash
# Start the cluster of the tests, as root: Slurm's configuration must be /etc/slurm, since the executor
# plugin takes SLURM_CONF from the environment of its jobs. A Slurm of somebody else's is left alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
host=$(hostname -s)
conf=/etc/slurm/slurm.conf
if [ -e $conf ] && ! grep -q tests/slurm/up.sh $conf; then
    echo "$conf is not of these tests; it is left alone" >&2
    exit 1
fi
mkdir -p /etc/slurm /run/slurm-tests /var/log/slurm-tests /var/spool/slurm-tests/ctld
sed "s/@HOST@/$host/g" "$here/slurm.conf.in" > $conf
cp "$here/gres.conf" /etc/slurm/
if [ ! -s /etc/munge/munge.key ]; then
    install -o munge -g munge -m 600 /dev/null /etc/munge/munge.key
    head -c 1024 /dev/urandom > /etc/munge/munge.key
fi
install -d -o munge -g munge -m 755 /run/munge
if ! munge --no-input >/dev/null 2>&1; then
    runuser -u munge -- munged
    touch /run/slurm-tests/munged.is.ours
fi
slurmctld
for node in cpu01 cpu02 gpu01; do
    mkdir -p /var/spool/slurm-tests/d.$node
    slurmd -N $node
done
for _ in $(seq 150); do
    [ "$(sinfo --noheader --Node --format '%N %t' | sort -u | grep -c ' idle$')" = 3 ] && exit 0
    sleep 0.2
done
sinfo --Node >&2
exit 1
