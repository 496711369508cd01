"""Every contract over every model."""

import pytest

from tests import checks

every_model = pytest.mark.parametrize("case", checks.MODELS.values(), ids=checks.MODELS)


@every_model
def test_fit(case, tmp_path):
    checks.check_fit(case, tmp_path)


@every_model
def test_config(case):
    checks.check_config(case)


@every_model
def test_resume_from_file(case, tmp_path):
    checks.check_resume_from_file(case, tmp_path)


@every_model
def test_resume_from_backup(case, tmp_path):
    checks.check_resume_from_backup(case, tmp_path)


@every_model
def test_steps_per_execution(case):
    checks.check_steps_per_execution(case)


@every_model
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_precision(case, policy):
    checks.check_precision(case, policy)


@every_model
@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_bfloat16", 3e-2), ("mixed_float16", 4e-3)])
def test_sgd_update(case, policy, tolerance):
    checks.check_sgd_update(case, policy, tolerance)


@every_model
def test_replicas(case):
    checks.check_replicas(case)


@every_model
def test_replica_noise(case):
    checks.check_replica_noise(case)


@every_model
def test_export(case, tmp_path):
    checks.check_export(case, tmp_path)
