"""One member of a study, in a process of its own: `python -m kmatgen.study.worker`. `kmatgen.study` starts these."""

from __future__ import annotations

import argparse
import math
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmatgen.errors import InputError
from kmatgen.files import PARTIAL
from kmatgen.study.storage import HEARTBEAT
from kmatgen.study.store import StudyStore, final_loss

if TYPE_CHECKING:
    from kmatgen.presets import Config

# The URL of the storage may hold a password, and everybody can read the arguments of a process.
STORAGE_VARIABLE = "KMATGEN_STUDY_STORAGE"
# Exit code of a worker whose member another one has.
TAKEN = 75


def main() -> int:
    """Claim the member, train it, record its result or its error. The exit code is 0, 1 (it failed) or `TAKEN`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", required=True, help="name of the study in its storage")
    parser.add_argument("--number", required=True, type=int, help="number of the trial")
    parser.add_argument("--folder", required=True, type=Path, help="folder of the member's run")
    options = parser.parse_args()
    with StudyStore(os.environ[STORAGE_VARIABLE], options.study) as store:
        if not store.claim(options.number):
            return TAKEN
        done = threading.Event()
        threading.Thread(target=_keep_beating, args=(store, options.number, done), daemon=True).start()
        config = store.study.trials[options.number].user_attrs["config"]
        try:
            value, results = _train(config, options.folder)
            done.set()
        except Exception:
            # Whatever went wrong belongs into the report of the study; the other members go on.
            done.set()
            traceback.print_exc()
            store.fail(options.number, traceback.format_exc())
            return 1
        store.finish(options.number, value, **results)
    return 0


def _train(config: Config, folder: Path) -> tuple[float, dict[str, Any]]:
    """Train, or go on where a killed process stopped; the final loss and everything worth keeping."""
    from kmatgen import training
    from kmatgen.run import CONFIG, Run

    resumed = (folder / CONFIG).is_file()
    if resumed:
        if Run.open(folder).config != config:
            raise InputError(f"A member's folder holds its own run or none. Received: {folder}, with another run.")
        run = training.resume(folder, verbose=2)
    else:
        # Left by a process that was killed while it wrote the first file.
        for partial in folder.glob(f"{PARTIAL}*"):
            partial.unlink()
        run = training.train(config, folder, verbose=2)
    metrics = run.read_json("metrics.json")
    losses = metrics["last"]
    value = final_loss(losses)
    if value is None or not math.isfinite(value):
        raise ArithmeticError(f"The training diverged: its final loss is no number. Received: {losses}.")
    results = {name: metrics[name] for name in ("floors", "parameters", "seconds", "epochs")}
    return value, {**results, "losses": losses, "resumed": resumed, "run": str(folder.resolve())}


def _keep_beating(store: StudyStore, number: int, done: threading.Event) -> None:
    """Give signs of life; end the process when the member was taken away, lest two of them write one run."""
    while not done.wait(HEARTBEAT):
        try:
            ours = store.beat(number)
        except Exception as error:
            # The storage may come back before the grace period is over.
            print(f"No sign of life could be given: {error}", file=sys.stderr)
            continue
        if not ours and not done.is_set():
            print("This member was silent for too long and was given to another process.", file=sys.stderr, flush=True)
            os._exit(TAKEN)


if __name__ == "__main__":
    sys.exit(main())
