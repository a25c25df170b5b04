"""A hook prints one line for each call, while a PoP fails and is left alone."""

from edgeclient import Edge, Endpoint, Event
from edgeclient.lab import Lab


def report(event: Event) -> None:
    """Called in the caller's thread: keep it short. If it raised, no call would fail."""
    tried = " -> ".join(f"{attempt.endpoint} {attempt.status}" for attempt in event.notes.tried)
    print(f"{event.model} {event.status} {event.notes.took_ms:6.1f} ms  {tried}")


def main() -> None:
    with Lab({"fra": 5, "nyc": 40}, mode="loopback", first_token_ms=(10, 20), tokens_per_s=5000) as lab:
        edge = Edge(
            endpoints=[Endpoint(url, name=name) for name, url in lab.urls.items()],
            key="passthrough",
            probe=False,
            hooks=[report],
        )
        with edge.OpenAI(api_key="any") as client:
            for number in range(5):
                if number == 1:
                    lab.fault("fra", "5xx", status=502)
                client.chat.completions.create(
                    model="gpt-6-luna", messages=[{"role": "user", "content": f"Question {number}"}]
                )
        print({endpoint.name: endpoint.state for endpoint in edge.status().endpoints})


if __name__ == "__main__":
    main()
