"""Every contract over every model."""

import pytest

from tests import checks
from tests.tiny_models import MODELS

# Variants that differ in defaults alone run the longer contracts among the slow tests.
THOROUGH = ("vae", "vae_fields", "wgan_gp", "acgan", "diffusion_fields")


def rows(quiet=False, thorough=()):
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(case, id=name, marks=[] if not thorough or name in thorough else pytest.mark.slow)
            for name, case in MODELS.items()
            if case.make_quiet is not None or not quiet
        ],
    )


every_model = rows()
mostly = rows(thorough=THOROUGH)
every_quiet_model = rows(quiet=True, thorough=THOROUGH)


@every_model
def test_fit(case, tmp_path):
    checks.check_fit(case, tmp_path)


@every_model
def test_config(case):
    checks.check_config(case)


@mostly
def test_resume_from_file(case, tmp_path):
    checks.check_resume_from_file(case, tmp_path)


@mostly
def test_resume_from_backup(case, tmp_path):
    checks.check_resume_from_backup(case, tmp_path)


@rows(thorough=("vae",))
def test_steps_per_execution(case):
    checks.check_steps_per_execution(case)


@mostly
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_precision(case, policy):
    checks.check_precision(case, policy)


@every_quiet_model
@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_bfloat16", 3e-2), ("mixed_float16", 4e-3)])
def test_sgd_update(case, policy, tolerance):
    checks.check_sgd_update(case, policy, tolerance)


@every_quiet_model
def test_replicas(case):
    checks.check_replicas(case)


@mostly
def test_replica_noise(case):
    checks.check_replica_noise(case)


@rows(thorough=("vae", "vae_fields", "wgan_gp", "diffusion_fields"))
def test_export(case, tmp_path):
    checks.check_export(case, tmp_path)
