"""A real Slurm of one node, this machine, in a folder of its own: munged, slurmctld and slurmd, started and ended here."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "srun")
SYSTEM_PROGRAMS = "/usr/sbin:/usr/local/sbin"
START_SECONDS = 30.0

CONFIGURATION = """
ClusterName=parsenet
SlurmctldHost={host}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer
KillWait=15
MinJobAge=2
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=short Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Unavailable(Exception):
    """Slurm cannot be started here; says why."""


@dataclass
class Cluster:
    """A running Slurm; `environment` makes its commands find it."""

    folder: Path
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def jobs(self) -> dict[str, str]:
        """The state of every job in the queue, by its id."""
        lines = self.ask("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def hurry(self) -> None:
        """Slurm lets a requeued job wait for two minutes; here it may start at once."""
        for line in self.ask("squeue", "--noheader", "--array", "--states=PENDING", "--format=%i %r").splitlines():
            job, reason = line.split(maxsplit=1)
            if reason == "BeginTime":
                self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")

    def start(self) -> None:
        """Raises `Unavailable`."""
        path = os.environ["PATH"] + ":" + SYSTEM_PROGRAMS
        missing = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
        if missing:
            raise Unavailable(f"not installed: {', '.join(missing)} (Debian: slurm-wlm and munge)")
        self._write()
        found = {program: shutil.which(program, path=path) or program for program in PROGRAMS}
        here = self.folder
        self._daemon("munged", found["munged"], "--foreground", "--force", f"--key-file={here}/munge.key",
                     f"--socket={here}/munge.socket", f"--pid-file={here}/munged.pid", f"--log-file={here}/munged.log",
                     f"--seed-file={here}/munged.seed")  # fmt: skip
        self._until("munged", (here / "munge.socket").exists)
        self._daemon("slurmctld", found["slurmctld"], "-D", "-f", f"{here}/slurm.conf")
        self._daemon("slurmd", found["slurmd"], "-D", "-f", f"{here}/slurm.conf")
        self._until("slurmd", lambda: self.ask("sinfo", "--noheader", "--format=%T") == "idle")

    def clear(self) -> None:
        """End all jobs."""
        self.ask("scancel", "--full", "--state=RUNNING,PENDING", f"--user={_user()}")
        deadline = time.monotonic() + START_SECONDS
        while self.jobs() and time.monotonic() < deadline:
            time.sleep(0.2)

    def stop(self) -> None:
        """End the jobs, then the daemons."""
        if len(self.daemons) == len(("munged", "slurmctld", "slurmd")):
            self.clear()
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _write(self) -> None:
        self.folder.chmod(0o755)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=socket.gethostname().split(".")[0],
                user=_user(),
                folder=self.folder,
                cores=os.cpu_count(),
                controller_port=_free_port(),
                node_port=_free_port(),
            )
        )

    def _daemon(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("wb") as output:
            self.daemons.append(
                subprocess.Popen(
                    command, env={**os.environ, **self.environment}, stdout=output, stderr=output, cwd=self.folder
                )
            )

    def _until(self, name: str, condition: object) -> None:
        assert callable(condition)
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            ended = [daemon.args for daemon in self.daemons if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = [*self.folder.glob("*.out"), *self.folder.glob("*.log")]
                said = "\n".join(line for file in logs for line in file.read_text(errors="replace").splitlines()[-3:])
                raise Unavailable(f"{name} did not come up:\n{said}")
            time.sleep(0.1)


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("", 0))
        port: int = listener.getsockname()[1]
        return port
