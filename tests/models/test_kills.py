"""A training that is killed at any moment leaves a model, and goes on to the same end."""

from pathlib import Path

import pytest

KILLS = 5


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path, monkeypatch):
    """More of them: python -m benchmarks run reliability --sections kills."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    from benchmarks.reliability.kills import kill_many

    found = kill_many(KILLS, tmp_path)
    assert found.kills == KILLS
    assert found.opened + found.untrained == KILLS
    assert found.opened >= KILLS - 2
    assert found.identical == found.trainings >= 1
