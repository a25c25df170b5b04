"""For the tests of your app: `recorded("file")` keeps the answers of a first run, and gives them again without a network."""

from __future__ import annotations

from .errors import RecordingError, UnknownCall
from .tape import Recorded, recorded

__all__ = ["Recorded", "RecordingError", "UnknownCall", "recorded"]
