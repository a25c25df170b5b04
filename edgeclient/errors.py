"""The errors of this library. Errors of a call are the SDK's own and are never replaced."""

from __future__ import annotations


class EdgeError(Exception):
    """Base of every error that edgeclient itself raises."""


class SettingsError(EdgeError, ValueError):
    """A setting is missing or wrong. Raised at construction; names the field, the value, its source and the remedy."""


class RouteError(EdgeError):
    """The settings forbid to send this call: no endpoint may take it (`origin="never"`), or its model has ended
    (`retired="raise"`)."""


class StoreError(EdgeError):
    """What keeps the cache's entries did not do as it was told. Raised by `Edge.clear_cache()`; no call ever raises it."""
