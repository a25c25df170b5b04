"""Users' code that runs and that type checkers once refused. Never run."""

from __future__ import annotations

import httpx
import openai as plain_openai

import edgeclient.anthropic as anthropic
import edgeclient.openai as openai
from edgeclient import AsyncEdgeTransport, EdgeTransport


def names_that_are_not_in_all() -> None:
    azure: type[plain_openai.AzureOpenAI] = openai.AzureOpenAI
    print(azure, anthropic.AnthropicBedrock, anthropic.HUMAN_PROMPT)


def module_level_use() -> None:
    openai.api_key = "sk"
    openai.chat.completions.create(model="gpt-4o", messages=[])
    openai.embeddings.create(model="e", input="a")


def transports() -> None:
    httpx.Client(transport=EdgeTransport(httpx.HTTPTransport()))
    httpx.AsyncClient(transport=AsyncEdgeTransport(httpx.AsyncHTTPTransport()))
