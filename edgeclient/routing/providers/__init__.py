"""The systems, one file each. Imported when one is named; the order here is that of `edgeclient systems`."""

NAMES = (
    "workers-ai",
    "cloudflare-gateway",
    "sagemaker",
    "bedrock",
    "vertex",
    "azure",
    "openai",
    "anthropic",
    "google",
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
