"""An edge network on one machine: PoPs with round-trip times, an origin that speaks OpenAI and Anthropic, and faults.

Test your own client against it; nothing leaves the machine:

    with Lab({"fra": 5, "nyc": 20, "bom": 80}, origin_ms=120) as lab:
        http_client = httpx.Client(verify=lab.ssl_context() or True)
        client = openai.OpenAI(base_url=lab.urls["fra"], api_key="any", http_client=http_client)
        lab.kill("fra")
"""

from edgeclient.lab.faults import FAULTS, LabError
from edgeclient.lab.lab import Lab
from edgeclient.lab.model import AtPops
from edgeclient.lab.network import best_mode, rootless_possible, run_in_namespace

__all__ = ["FAULTS", "AtPops", "Lab", "LabError", "best_mode", "rootless_possible", "run_in_namespace"]
