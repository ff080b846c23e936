#!/usr/bin/env bash
# Sourced by run.sh: a Slurm of two nodes, n1 and n2, both on this machine. All that it has but its
# programs lies in a temporary folder, SLURM_CONF among it.

# shellcheck source=test/debian.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../debian.sh"

# Install Debian's packages if there is no Slurm.
install_slurm() {
  PATH=$PATH:/usr/sbin
  if type munged slurmctld slurmd srun >/dev/null 2>&1; then return; fi
  install_debian Slurm munge slurm-client slurmctld slurmd
}

start_slurm() {
  slurm_folder=$(mktemp -d)
  slurm_daemons=()
  export SLURM_CONF=$slurm_folder/slurm.conf
  local ports user folder=$slurm_folder
  user=$(id -un)
  chmod 755 "$folder" # munge wants its socket to be within everybody's reach
  mkdir "$folder/state" "$folder/spool"
  read -ra ports < <(python -c 'import socket
sockets = [socket.create_server(("", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))')
  cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
# Neither cgroups nor a database
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
# More cores than there may be, and a GPU that is none
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=4 RealMemory=4000 Gres=gpu:1
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=4 RealMemory=4000 Gres=gpu:1
PartitionName=all Nodes=ALL Default=YES State=UP
# Quickly
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
KillWait=3
ReturnToService=2
END
  echo "Name=gpu File=/dev/null" >"$folder/gres.conf"
  head -c 128 /dev/urandom >"$folder/munge.key"
  chmod 400 "$folder/munge.key"
  _daemon munge munged --foreground --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munge.pid" --seed-file="$folder/munge.seed" --log-file="$folder/munge.log"
  _daemon slurmctld slurmctld -D
  for node in n1 n2; do _daemon "$node" slurmd -D -N "$node"; done
  for _ in {1..300}; do
    if [[ $(sinfo --noheader --Node --states idle 2>/dev/null) == n1*n2* ]]; then return; fi
    sleep 0.1
  done
  tail -n 5 "$folder"/*.out >&2
  echo "error: Slurm doesn't come up" >&2
  exit 1
}

# _daemon NAME COMMAND...: in a session of its own, out of reach of a Ctrl-C.
_daemon() {
  setsid "${@:2}" >"$slurm_folder/$1.out" 2>&1 </dev/null &
  slurm_daemons+=($!)
}

# Nothing is left of it, whatever state it is in.
stop_slurm() {
  if [[ -z ${slurm_folder:-} ]]; then return; fi
  scancel --user "$(id -un)" 2>/dev/null || true
  for _ in {1..100}; do
    if [[ -z $(squeue --noheader 2>/dev/null) ]]; then break; fi
    sleep 0.1
  done
  kill "${slurm_daemons[@]}" 2>/dev/null || true
  wait "${slurm_daemons[@]}" 2>/dev/null || true
  rm -rf "$slurm_folder"
}
