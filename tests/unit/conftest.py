"""Properties are checked on the same examples in every run, and leave no files behind."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("edge", deadline=None, database=None, derandomize=True, max_examples=60)
settings.load_profile("edge")
