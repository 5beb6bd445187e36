"""Few examples that are always the same, or with --hypothesis-profile=many new ones."""

from hypothesis import HealthCheck, settings

_SHARED = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
settings.register_profile("few", derandomize=True, database=None, max_examples=10, **_SHARED)
settings.register_profile("many", max_examples=1000, **_SHARED)
settings.load_profile("few")
