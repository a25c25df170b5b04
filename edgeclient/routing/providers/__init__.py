"""The systems, one file each. Imported when one is named; the order here is that of `edgeclient systems`."""

NAMES = (
    "workers-ai",
    "cloudflare-gateway",
    "vercel",
    "prism",
    "fastly",
    "fastly-compute",
    "lambda-edge",
    "fly",
    "groq",
    "cerebras",
    "together",
    "fireworks",
    "deepinfra",
    "huggingface",
    "openrouter",
    "ollama",
    "llama-cpp",
    "vllm",
)
