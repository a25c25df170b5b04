"""What calls alone can tell at best: an oracle of the PoPs that its own calls have reached, and of no others."""

from __future__ import annotations

from collections.abc import Sequence

from edgeclient.values import Call, Endpoint

from .baseline import Baseline, Plan
from .running import Setting


class OwnCalls(Baseline):
    """Tries one unknown PoP with each call, in any order, for one round trip to the best known one; then knows all of it.

    No cheaper trial is possible without a second connection beside the call's own, which would be a probe; and of what it has
    reached nobody can know more. So a rule that learns from its calls alone, and has no reason to stop, does no better.
    """

    looks = recalling = False

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._unknown = self.chance.sample(self.endpoints, len(self.endpoints))
        self._known: list[Endpoint] = []
        self._trial: tuple[Endpoint, float] | None = None

    def plan(
        self, candidates: Sequence[Endpoint], now: float, *, again: bool = False, call: Call | None = None
    ) -> Plan:
        view = self.setting.view
        asked = view.asked[id(call)]
        known = sorted(self._known, key=lambda e: view.foreseen_s(asked, int(e.name), now))
        self._trial = None
        if not self._unknown:
            return known, []
        tried = self._unknown.pop()
        self._known.append(tried)
        if known:
            nearest = int(known[0].name)
            usual_s = self.setting.paths.rtt_s[view.client][nearest]
            self._trial = tried, view.site.weather.path_s(view.client, nearest, usual_s, now)
        return [tried, *known], []

    def patience_s(self, endpoint: Endpoint, longest_s: float) -> float:
        return self._trial[1] if self._trial is not None and self._trial[0] is endpoint else longest_s
