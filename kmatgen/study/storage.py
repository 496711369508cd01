"""The database under a study, and which processes on this machine are still alive."""

from __future__ import annotations

import os
import socket
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning, OptunaError

from kmatgen.errors import InputError

# Seconds between two signs of life of a member, and without one until it counts as lost.
HEARTBEAT, GRACE = 10, 120
# Seconds that a process waits for its turn at an SQLite file.
_SQLITE_TIMEOUT = 60


def connect(url: str, grace: int = GRACE) -> optuna.storages.RDBStorage:
    """Optuna's storage at a URL, made fit for many processes.

    Args:
        url: `sqlite:///FILE`, `postgresql://...` or `mysql://...`.
        grace: Seconds without a sign of life after which a running trial is stale.

    Raises:
        InputError: The database cannot be reached or its driver is missing.
    """
    try:
        try:
            storage = _open(url, grace)
        except sqlalchemy.exc.DBAPIError:
            # Two processes that make the tables of a new database together get into each other's way.
            time.sleep(1.0)
            storage = _open(url, grace)
    except (ImportError, ValueError, sqlalchemy.exc.SQLAlchemyError, OptunaError) as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0].rstrip(".")
        raise InputError(
            "The storage of a study is sqlite:///FILE, or the URL of a PostgreSQL or MySQL database that can be "
            f"reached and whose driver is installed. Received: {_without_password(url)} ({reason})."
        ) from error
    if storage.engine.name == "sqlite":
        _lock_transactions(storage.engine)
    return storage


def machine() -> str:
    """Where process numbers mean the same: the host and, on Linux, the process namespace (a container has its own)."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}".strip()


def is_alive(pid: int) -> bool:
    """Whether a process of this machine is still at work."""
    if os.name == "nt":
        # There, sending signal 0 would end the process; its heartbeat has to do.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # A process that ended stays listed as a zombie until its parent has asked for it.
        # Its name, in brackets, may hold any bytes.
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return True


def _open(url: str, grace: int) -> optuna.storages.RDBStorage:
    options = {"connect_args": {"timeout": _SQLITE_TIMEOUT}} if url.startswith("sqlite") else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.storages.RDBStorage(url, engine_kwargs=options, heartbeat_interval=HEARTBEAT, grace_period=grace)


def _lock_transactions(engine: sqlalchemy.Engine) -> None:
    """Let SQLite lock at the start of each transaction; it cannot lock rows, and two processes could claim one trial.

    From then on reading a state and changing it is one step, as it is with row locks elsewhere.
    """
    # Connections made so far would not hear of it.
    engine.dispose()

    @sqlalchemy.event.listens_for(engine, "connect")
    def _leave_begin_to_us(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @sqlalchemy.event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _without_password(url: str) -> str:
    try:
        return sqlalchemy.make_url(url).render_as_string()
    except sqlalchemy.exc.ArgumentError:
        return "a text that is no URL"
