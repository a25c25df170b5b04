"""Twenty tasks ask the same question at once: one request is sent, and all twenty get its answer."""

import asyncio
from collections import Counter

from edgeclient import Edge, notes
from edgeclient.lab import Lab


async def ask_together(edge: Edge) -> None:
    async with edge.AsyncOpenAI(api_key="any") as client:
        answers = await asyncio.gather(
            *(
                client.chat.completions.create(
                    model="gpt-6-luna", messages=[{"role": "user", "content": "What time is it?"}]
                )
                for _ in range(20)
            )
        )
        stream = await client.chat.completions.create(
            model="gpt-6-luna", messages=[{"role": "user", "content": "What time is it?"}], stream=True
        )
        async for _ in stream:
            pass
    print(Counter(said.cache for answer in answers if (said := notes(answer)) is not None))
    said = notes(stream)
    print("and a stream of it:", said.cache if said is not None else "")


def main() -> None:
    with Lab({"fra": 5, "nyc": 40}, mode="loopback") as lab:
        asyncio.run(ask_together(Edge(endpoints=list(lab.urls.values()), key="passthrough", cache="exact")))
        print("requests seen:", lab.requests()["fra"])


if __name__ == "__main__":
    main()
