#!/usr/bin/env bash
# The services that tests talk to: a Slurm of one node with munge, and PostgreSQL, from Debian's packages.
#
#   tools/services.sh install              installs what is missing; says what it left out, and never fails
#   tools/services.sh start-slurm FOLDER   starts munged, slurmctld and slurmd; all their files lie in FOLDER
#   tools/services.sh stop-slurm FOLDER    stops them, with the jobs that still run
#   tools/services.sh start-postgres FOLDER PORT   starts a server on 127.0.0.1 with the user `tlbench`, made in FOLDER
#   tools/services.sh kill-postgres FOLDER         kills it with SIGKILL, as a power cut would
#   tools/services.sh stop-postgres FOLDER
#
# Each may be called again: what is installed, runs or has stopped already stays so. The services need root.
set -euo pipefail

PACKAGES=(slurmctld slurmd slurm-client munge postgresql)
PROGRAMS=(slurmctld slurmd sbatch munged pg_ctlcluster)
APT_SECONDS=120

missing() {
    for program in "${PROGRAMS[@]}"; do
        PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || echo "$program"
    done
}

install() {
    local absent
    absent=$(missing | tr '\n' ' ')
    test -n "$absent" || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "services: no $absent(installing takes root and apt-get): the tests that need them are skipped"
        return 0
    fi
    export DEBIAN_FRONTEND=noninteractive
    # Nothing is started by the packages themselves: tests start services of their own, in their own folders.
    apt_install || { timeout $APT_SECONDS apt-get -qq update >/dev/null 2>&1 && apt_install; } ||
        echo "services: apt-get could not install them: the tests that need them are skipped"
}

apt_install() {
    RUNLEVEL=1 timeout $APT_SECONDS apt-get -qq install -y --no-install-recommends "${PACKAGES[@]}" >/dev/null 2>&1
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

is_running() {
    test -s "$1" && kill -0 "$(cat "$1")" 2>/dev/null
}

start_slurm() {
    local folder=$1 host
    host=$(hostname -s)
    mkdir -p "$folder"/{state,spool,munge}
    chmod 700 "$folder/munge"
    if ! is_running "$folder/munged.pid"; then
        test -s "$folder/munge/key" || (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
        /usr/sbin/munged --force --key-file "$folder/munge/key" --socket "$folder/munge/socket" \
            --pid-file "$folder/munged.pid" --log-file "$folder/munged.log" --seed-file "$folder/munge/seed" 2>/dev/null
    fi
    # More CPUs than the machine may have, so that several jobs of tests that mostly wait run at once.
    test -s "$folder/slurm.conf" || cat >"$folder/slurm.conf" <<CONF
ClusterName=tlbench
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
# A job that is put back into the queue begins once its credentials have expired, by default after two minutes.
AuthInfo=socket=$folder/munge/socket,cred_expire=10
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,sched_interval=2
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
MpiDefault=none
ReturnToService=2
KillWait=3
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=2000 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    export SLURM_CONF=$folder/slurm.conf
    is_running "$folder/slurmctld.pid" || /usr/sbin/slurmctld -f "$SLURM_CONF"
    is_running "$folder/slurmd.pid" || /usr/sbin/slurmd -f "$SLURM_CONF"
    for _ in $(seq 100); do
        sinfo -h -o %T 2>/dev/null | grep -qE 'idle|mixed|allocated' && return 0
        sleep 0.2
    done
    echo "services: Slurm did not come up: $(tail -n 3 "$folder/slurmctld.log" "$folder/slurmd.log" 2>&1)" >&2
    return 1
}

end() { # end PIDFILE SIGNAL: ends one process and waits for it
    is_running "$1" || return 0
    local pid
    pid=$(cat "$1")
    kill "-$2" "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
}

stop_slurm() {
    local folder=$1
    export SLURM_CONF=$folder/slurm.conf
    if is_running "$folder/slurmctld.pid"; then
        timeout 10 scancel --full --signal=KILL --user=root 2>/dev/null || true
        timeout 10 scancel --user=root 2>/dev/null || true
        for _ in $(seq 50); do
            test -n "$(timeout 5 squeue -h 2>/dev/null)" || break
            sleep 0.2
        done
    fi
    for service in slurmd slurmctld munged; do
        end "$folder/$service.pid" TERM
    done
}

postgres_bin() {
    ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1
}

as_postgres() {
    # PostgreSQL refuses to run as root.
    setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
}

start_postgres() {
    local folder=$1 port=$2 bin
    bin=$(postgres_bin)
    is_running_postgres "$folder" && return 0
    if ! test -d "$folder/data"; then
        mkdir -p "$folder/data"
        (umask 077 && echo "${PGPASSWORD:?set PGPASSWORD to the password that the user tlbench gets}" >"$folder/password")
        chown -R postgres "$folder"
        as_postgres "$bin/initdb" -D "$folder/data" -U tlbench --pwfile="$folder/password" \
            --auth=scram-sha-256 -E UTF8 --locale=C --no-sync >/dev/null
        rm "$folder/password"
    fi
    as_postgres "$bin/pg_ctl" -D "$folder/data" -w -t 60 -l "$folder/log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder" start >/dev/null
}

is_running_postgres() {
    test -s "$1/data/postmaster.pid" && kill -0 "$(head -n 1 "$1/data/postmaster.pid")" 2>/dev/null
}

kill_postgres() {
    is_running_postgres "$1" || return 0
    local pid children
    pid=$(head -n 1 "$1/data/postmaster.pid")
    children=$(pgrep -P "$pid" || true)
    kill -KILL "$pid"
    # Its children notice that it has gone and end by themselves; a new server starts only then.
    for child in $children; do
        for _ in $(seq 100); do
            kill -0 "$child" 2>/dev/null || break
            sleep 0.05
        done
        kill -KILL "$child" 2>/dev/null || true
    done
}

stop_postgres() {
    is_running_postgres "$1" || return 0
    as_postgres "$(postgres_bin)/pg_ctl" -D "$1/data" -m fast -w stop >/dev/null
}

case ${1:-} in
install) install ;;
start-slurm) start_slurm "$(realpath -m "$2")" ;;
stop-slurm) stop_slurm "$(realpath -m "$2")" ;;
start-postgres) start_postgres "$(realpath -m "$2")" "$3" ;;
kill-postgres) kill_postgres "$(realpath -m "$2")" ;;
stop-postgres) stop_postgres "$(realpath -m "$2")" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
