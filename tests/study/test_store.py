import os
import subprocess
import sys
import threading
import time

import pytest

from kmatgen import presets, study
from kmatgen.errors import InputError
from kmatgen.study.grid import grid
from kmatgen.study.storage import is_alive
from kmatgen.study.store import State, StudyStore, final_loss
from tests.study.grids import LATENT, TWO


@pytest.fixture
def store(tmp_path):
    with study.open_store(tmp_path) as opened:
        yield opened


def states(store):
    return {name: record.state.value for name, record in store.records().items()}


def test_enqueue_adds_only_what_is_new(store):
    store.enqueue(grid("vae", TWO, seeds=1))
    store.enqueue(grid("vae", TWO, seeds=1))
    assert len(store.study.trials) == 2
    store.enqueue(grid("vae", LATENT, seeds=2))
    assert len(store.study.trials) == 10
    assert set(states(store).values()) == {"waiting"}


def test_every_member_is_claimed_once(store):
    store.enqueue(grid("vae", TWO, seeds=10))
    claimed, start = [], threading.Barrier(6)

    def claim_all():
        with StudyStore(store.url, store.name) as own:
            start.wait()
            for number in range(20):
                if own.claim(number):
                    claimed.append(number)

    threads = [threading.Thread(target=claim_all) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(20))


def test_of_two_trials_of_one_member_the_first_counts(store):
    (member,) = grid("vae", {"latent_dim": {"2": TWO["latent_dim"]["2"]}}, seeds=1)
    notes = {"member": member.name, "labels": member.labels, "seed": 0, "config": member.config}
    for _ in range(2):
        store.study.enqueue_trial({"latent_dim": "2", "seed": "0"}, user_attrs=notes)
    assert not store.claim(1)
    assert store.claim(0)
    store.finish(0, 0.5, seconds=1.0)
    record = store.records()[member.name]
    assert (record.state, record.number, record.notes["seconds"]) == (State.FINISHED, 0, 1.0)


def test_failed_members_wait_again_only_where_wanted(store):
    members = grid("vae", TWO, seeds=1)
    store.enqueue(members)
    store.claim(0)
    store.fail(0, "Traceback ...\nValueError: no")
    store.fail(0, "too late")
    store.enqueue(members)
    assert states(store) == {"latent_dim=2,seed=0": "failed", "latent_dim=4,seed=0": "waiting"}
    assert store.records()["latent_dim=2,seed=0"].notes["error"] == "Traceback ...\nValueError: no"
    store.enqueue(members, retry_failed=True)
    assert states(store) == {"latent_dim=2,seed=0": "waiting", "latent_dim=4,seed=0": "waiting"}
    assert len(store.study.trials) == 3


def test_sweep_lets_go_of_dead_processes_of_this_machine_at_once(store):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    while not os.path.exists(f"/proc/{gone.pid}/stat") or is_alive(gone.pid):
        time.sleep(0.02)
    members = grid("vae", TWO, seeds=2)
    store.enqueue(members)
    for number in range(4):
        store.claim(number)
    store.note(1, pid=gone.pid)
    store.note(2, pid=gone.pid, machine="elsewhere")
    store.note(3, pid=gone.pid)
    store.sweep(own=[3])
    # It is a zombie so far, then it is gone altogether.
    assert list(states(store).values()) == ["running", "lost", "running", "running"]
    gone.wait()
    store.sweep()
    assert list(states(store).values()) == ["running", "lost", "running", "lost"]
    store.enqueue(members)
    assert list(states(store).values()) == ["running", "waiting", "running", "waiting"]


def test_sweep_lets_go_of_silent_processes_elsewhere(tmp_path):
    with StudyStore(f"sqlite:///{tmp_path}/study.db", "study", grace=1) as store:
        store.enqueue(grid("vae", TWO, seeds=1))
        for number in range(2):
            store.claim(number)
            store.note(number, machine="elsewhere")
        store.sweep()
        assert list(states(store).values()) == ["running", "running"]
        # The database counts whole seconds.
        time.sleep(2.5)
        assert store.beat(1)
        store.sweep()
        assert list(states(store).values()) == ["lost", "running"]
        assert not store.beat(0)


def test_a_study_keeps_what_it_began_with(store):
    base = presets.resolve("vae", {"fit.epochs": 2})
    store.agree(base, TWO)
    store.agree(base, LATENT)
    assert list(store.study.user_attrs["factors"]["latent_dim"]) == ["2", "4", "8", "16", "32"]
    with pytest.raises(InputError, match=r"has fit\.epochs=2 for all members.*Received: fit\.epochs=3\.$"):
        store.agree(presets.resolve("vae", {"fit.epochs": 3}), TWO)
    with pytest.raises(InputError, match=r"is about latent_dim;.*Received: layers\.$"):
        store.agree(base, presets.STUDIES["layers"][2])
    with pytest.raises(InputError, match=r"latent_dim=2 means .*Received: "):
        store.agree(base, {"latent_dim": {"2": LATENT["latent_dim"]["8"]}})


@pytest.mark.parametrize(
    ("losses", "final"),
    [
        ({"loss": 1.0, "val_loss": 2.0}, 2.0),
        ({"loss": 1.0}, 1.0),
        ({"d_loss": 1.0, "g_loss": 2.0, "val_d_loss": 3.0, "val_g_loss": 4.0}, 4.0),
        ({"d_loss": 1.0, "g_loss": 2.0}, 2.0),
        ({"d_real": 0.5}, None),
    ],
)
def test_one_loss_stands_for_a_member(losses, final):
    assert final_loss(losses) == final
