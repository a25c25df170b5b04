"""For a library that takes only an HTTP client: the edge goes around its transport. No SDK is used here."""

import httpx2

from edgeclient import Edge, EdgeTransport, notes
from edgeclient.lab import Lab


def main() -> None:
    with Lab({"fra": 5, "nyc": 40}, mode="loopback") as lab:
        edge = Edge(endpoints=list(lab.urls.values()), key="passthrough", cache="exact")
        transport = EdgeTransport(httpx2.HTTPTransport(), edge=edge)
        with httpx2.Client(transport=transport, base_url="https://api.openai.com/v1") as http:
            for _ in range(2):
                response = http.post(
                    "/chat/completions",
                    headers={"Authorization": "Bearer any"},
                    json={"model": "gpt-6-luna", "messages": [{"role": "user", "content": "What is anycast?"}]},
                )
                said = notes(response)
                assert said is not None
                print(response.status_code, said.cache, said.pop)
                print("   ", response.headers["cache-status"])


if __name__ == "__main__":
    main()
