"""The origin's process: the model's own site.  Opens sockets.

Two doors: the public one waits the origin's round trip (loopback), the inner one is for PoPs.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from edgeclient.lab.model import Model
from edgeclient.lab.server import Reply, Request
from edgeclient.lab.sites import Site, run_site


class Origin(Site):
    """The model's own site."""

    def __init__(self, config: Mapping[str, object]) -> None:
        super().__init__(config)
        self._model = Model(config, random.Random(f"{config['seed']}/origin"))

    async def answer(self, request: Request, reply: Reply) -> None:
        await self._model.answer(request, reply)


def main() -> None:
    """Runs in a process of its own, started by the lab."""
    run_site(Origin)
