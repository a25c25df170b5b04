"""Two PoPs: calls go to the nearest one, a repeated question to none, and in an outage to the other one."""

from edgeclient import Edge, Endpoint, notes
from edgeclient.lab import Lab


def main() -> None:
    with Lab({"nyc": 40, "fra": 5}, origin_ms=120, mode="loopback") as lab:
        edge = Edge(
            endpoints=[
                Endpoint(lab.urls[site], name=site, anthropic=lab.anthropic_urls[site], probe="/cdn-cgi/trace")
                for site in lab.urls
            ],
            key="passthrough",
            cache="exact",
            rtt_source="http",  # on loopback the kernel's round-trip times are not the emulated ones
        )
        for endpoint in edge.probe():
            print(f"{endpoint.name} is {endpoint.rtt_ms:.0f} ms away")

        with edge.Anthropic(api_key="any") as client:

            def ask(question: str) -> None:
                answer = client.messages.create(
                    model="claude-sonnet-4-6", max_tokens=200, messages=[{"role": "user", "content": question}]
                )
                said = notes(answer)
                assert said is not None
                tried = ", ".join(f"{attempt.endpoint} {attempt.outcome}" for attempt in said.tried)
                print(f"{question:12} {said.cache:5} in {said.took_ms:6.1f} ms  {tried}")

            ask("Who are you?")
            ask("Who are you?")
            lab.kill("fra")
            ask("Still there?")


if __name__ == "__main__":
    main()
