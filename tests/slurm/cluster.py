"""A real Slurm of two nodes, both this machine, in a folder of its own: started, disturbed and ended here.

`python -m tests.slurm.cluster` opens a shell in which Slurm's commands, and `parsenet … --launcher slurm`, find it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "srun")
SYSTEM_PROGRAMS = "/usr/sbin:/usr/local/sbin"
NODES = ("node1", "node2")
START_SECONDS = 30.0
LARGEST_ARRAY = 6
"""Tasks of one array: few, so that a small plan is larger."""

CONFIGURATION = """
ClusterName=parsenet
SlurmctldHost={host}
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=1,batch_sched_delay=0
KillWait=15
MinJobAge=2
MessageTimeout=5
SlurmdTimeout=6
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MaxArraySize={largest_array}
NodeName={first} NodeHostname={host} NodeAddr=127.0.0.1 Port={first_port} CPUs={cpus} State=UNKNOWN
NodeName={second} NodeHostname={host} NodeAddr=127.0.0.1 Port={second_port} CPUs={cpus} State=UNKNOWN
PartitionName=short Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2
"""


class Unavailable(Exception):
    """Slurm cannot be started here; says why."""


@dataclass
class Cluster:
    """A running Slurm; `environment` makes its commands find it."""

    folder: Path
    deeds: list[str] = field(default_factory=list)
    """What was done to it and its jobs since somebody emptied the list."""
    _daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def _pairs(self, *command: str) -> dict[str, str]:
        return dict(line.split() for line in self.ask(*command).splitlines())

    def do(self, *command: str) -> None:
        """One of Slurm's commands that changes something."""
        self.deeds.append(" ".join(command))
        self.ask(*command)

    def jobs(self) -> dict[str, str]:
        """The state of every job in the queue, by its id."""
        return self._pairs("squeue", "--noheader", "--array", "--format=%i %T")

    def node_of(self, job: str) -> str:
        """Where it runs; empty while it does not."""
        return self.ask("squeue", "--noheader", f"--jobs={job}", "--states=RUNNING", "--format=%N")

    def node_states(self) -> dict[str, str]:
        """`idle`, `mixed`, `down`, … of every node."""
        return self._pairs("sinfo", "--noheader", "--Node", "--format=%N %T")

    def hurry(self) -> None:
        """Slurm lets a requeued job wait for two minutes; here it may start after two seconds.

        Not at once: a node that has just revoked the job's credential takes one of the same second for the revoked one.
        """
        soon = datetime.now() + timedelta(seconds=5)
        for line in self.ask("squeue", "--noheader", "--array", "--states=PENDING", "--format=%i %r %S").splitlines():
            job, reason, start = line.split()
            if reason == "BeginTime" and start != "N/A" and datetime.fromisoformat(start) > soon:
                self.ask("scontrol", "update", f"JobId={job}", "StartTime=now+2")

    # --- what can happen to it ---------------------------------------------------------------------------------------

    def kill_node(self, node: str) -> None:
        """As if its plug had been pulled: its daemon and everything that runs on it ends without a word."""
        self.deeds.append(f"kill -9 everything on {node}")
        self._kill(node)
        self._kill_all(node)

    def silence_controller(self) -> None:
        """It is there and does not answer."""
        self.deeds.append("kill -STOP slurmctld")
        self._daemons["slurmctld"].send_signal(signal.SIGSTOP)

    def kill_controller(self) -> None:
        """Nobody answers."""
        self.deeds.append("kill -9 slurmctld")
        self._kill("slurmctld")

    def mend(self) -> None:
        """Everything is there again, and answers."""
        if "slurmctld" in self._daemons:
            self._daemons["slurmctld"].send_signal(signal.SIGCONT)
        missing = [name for name in ("slurmctld", *NODES) if name not in self._daemons]
        for name in missing:
            self.deeds.append(f"start {name}")
            self._start(name)
        self.ask("scontrol", "update", f"NodeName={','.join(NODES)}", "State=RESUME")
        self.ask("scontrol", "update", "PartitionName=short", "State=UP")
        self._until("slurmd", self._ready)

    # --- its life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Raises `Unavailable`."""
        missing = [program for program in PROGRAMS if _found(program) is None]
        if missing:
            raise Unavailable(f"not installed: {', '.join(missing)} (Debian: slurm-wlm and munge)")
        self._write()
        self._start("munged")
        self._until("munged", (self.folder / "munge.socket").exists)
        for name in ("slurmctld", *NODES):
            self._start(name)
        self._until("slurmd", self._ready)

    def clear(self) -> None:
        """End all jobs."""
        self.ask("scancel", f"--user={_user()}")
        deadline = time.monotonic() + START_SECONDS
        while self.jobs() and time.monotonic() < deadline:
            time.sleep(0.2)

    def stop(self) -> None:
        """End the jobs, then the daemons."""
        if set(NODES) <= self._daemons.keys():
            self.clear()
        for name in list(self._daemons)[::-1]:
            self._kill(name)
        self._kill_all(*NODES)

    def _ready(self) -> bool:
        return set(self.node_states().values()) <= {"idle", "mixed", "allocated", "completing"} != set()

    def _write(self) -> None:
        self.folder.chmod(0o755)
        for name in ("state", *(f"spool.{node}" for node in NODES)):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        text = CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            user=_user(),
            folder=self.folder,
            controller_port=_free_port(),
            largest_array=LARGEST_ARRAY,
            first=NODES[0],
            second=NODES[1],
            first_port=_free_port(),
            second_port=_free_port(),
            cpus=os.cpu_count(),
        )
        (self.folder / "slurm.conf").write_text(text)

    def _start(self, name: str) -> None:
        here = self.folder
        arguments = ("-D", "-f", f"{here}/slurm.conf", *(("-N", name) if name in NODES else ()))
        if name == "munged":
            arguments = ("--foreground", "--force", f"--key-file={here}/munge.key", f"--socket={here}/munge.socket",
                             f"--pid-file={here}/munged.pid", f"--log-file={here}/munged.log",
                             f"--seed-file={here}/munged.seed")  # fmt: skip
        program = _found("slurmd" if name in NODES else name)
        with (here / f"{name}.out").open("ab") as output:
            variables = {**os.environ, **self.environment}
            self._daemons[name] = subprocess.Popen(
                [str(program), *arguments], env=variables, stdout=output, stderr=output, cwd=here
            )

    def _kill(self, name: str) -> None:
        daemon = self._daemons.pop(name)
        daemon.kill()
        daemon.wait()

    def _kill_all(self, *nodes: str) -> None:
        for process in self._processes(*nodes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _processes(self, *nodes: str) -> set[int]:
        """Everything that this Slurm has started on these nodes, by the environment it gave it: jobs, and what watches over them.

        What watches does not say on which node it is: on one of them it is the parent of a job there.
        """
        ours = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        places = {f"SLURMD_NODENAME={node}".encode() for node in nodes}
        found = set()
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                said = set((folder / "environ").read_bytes().split(b"\0")) if folder.name.isdigit() else set()
                if ours not in said:
                    continue
                watches = (folder / "comm").read_text().startswith("slurmstepd")
                if watches and set(nodes) == set(NODES):
                    found.add(int(folder.name))
                if not watches and places & said:
                    found.add(int(folder.name))
                    parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                    if (Path("/proc") / parent / "comm").read_text().startswith("slurmstepd"):
                        found.add(int(parent))
        return found

    def _until(self, name: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            ended = [daemon.args for daemon in self._daemons.values() if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = [*self.folder.glob("*.out"), *self.folder.glob("*.log")]
                said = "\n".join(line for file in logs for line in file.read_text(errors="replace").splitlines()[-3:])
                raise Unavailable(f"{name} did not come up:\n{said}")
            time.sleep(0.1)


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:{SYSTEM_PROGRAMS}")


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("", 0))
        port: int = listener.getsockname()[1]
        return port


def main() -> None:
    """A shell with a Slurm, which ends with it."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            print(f"Slurm with {', '.join(NODES)}, in {folder}. It ends when you leave this shell.", flush=True)
            print("Without a GPU every command needs: --launcher slurm launcher.gpus=0", flush=True)
            subprocess.run([os.environ.get("SHELL", "/bin/sh")], env={**os.environ, **cluster.environment}, check=False)
        except Unavailable as problem:
            raise SystemExit(f"Slurm: {problem}") from None
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
