import operator

import pytest

from kmatgen.errors import InputError
from kmatgen.metrics.processes import in_processes


def test_results_come_in_the_order_of_tasks():
    assert in_processes(operator.sub, [(3, 1), (5, 1), (9, 2)], jobs=1) == [2, 4, 7]
    assert in_processes(operator.sub, [(3, 1), (5, 1), (9, 2)], jobs=2) == [2, 4, 7]


def test_there_is_at_least_one():
    with pytest.raises(InputError, match=r"Received: jobs=0\.$"):
        in_processes(operator.sub, [(3, 1)], jobs=0)
