"""What is known of all endpoints, and whether anything has changed that their orders rest on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..values import Endpoint
from .track import Track


class Tracks(dict[str, Track]):
    """The track of each endpoint, by its name. `looks`: probes may be begun. Its owner locks."""

    def __init__(self, endpoints: Sequence[Endpoint], *, looks: bool) -> None:
        super().__init__((endpoint.name, Track()) for endpoint in endpoints)
        self.looks = looks
        self.keeps_models = False  # how models start is learned even where there is nothing to choose
        self.version = 0  # of everything that orders rest on

    def of(self, endpoint: Endpoint) -> Track:
        """An endpoint's track; a new one for one that was not configured: a client's own origin."""
        track = self.get(endpoint.name)
        if track is None:
            track = self[endpoint.name] = Track()
        return track
