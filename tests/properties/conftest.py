"""Few examples by default, many with --hypothesis-profile=many: both are always the same.

To look for new faults, --hypothesis-profile=new tries other examples at every run; what it finds is
kept in .hypothesis and tried first the next time.
"""

from hypothesis import HealthCheck, settings

_SHARED = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
settings.register_profile("few", derandomize=True, database=None, max_examples=5, **_SHARED)
settings.register_profile("many", derandomize=True, database=None, max_examples=100, **_SHARED)
settings.register_profile("new", max_examples=300, **_SHARED)
settings.load_profile("few")
