"""An existing program with one changed import; everything else is said by variables. Runs offline, against the lab."""

import os

import edgeclient.openai as openai  # was: import openai
from edgeclient import notes
from edgeclient.lab import Lab


def main() -> None:
    client = openai.OpenAI(api_key="any")
    with client:
        for question in ("What is anycast?", "What is anycast?"):
            answer = client.chat.completions.create(
                model="gpt-6-luna", messages=[{"role": "user", "content": question}]
            )
            said = notes(answer)
            assert said is not None
            print(f"{said.cache:5} {said.pop}  {answer.choices[0].message.content}")


if __name__ == "__main__":
    with Lab({"fra": 5, "nyc": 40}, mode="loopback") as lab:
        # In real life these stand where the program is deployed.
        os.environ["EDGECLIENT_ENDPOINTS"] = ",".join(lab.urls.values())
        os.environ["EDGECLIENT_KEY"] = "passthrough"
        os.environ["EDGECLIENT_CACHE"] = "exact"
        main()
