"""Few examples that are always the same, or with --hypothesis-profile=many new ones.

What these find is kept in .hypothesis and tried first the next time.
"""

from hypothesis import HealthCheck, settings

_SHARED = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
settings.register_profile("few", derandomize=True, database=None, max_examples=5, **_SHARED)
settings.register_profile("many", max_examples=100, **_SHARED)
settings.load_profile("few")
