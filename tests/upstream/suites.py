"""The test suites of the two SDKs: what they import, which files count, which are the quick set. Data only."""

from __future__ import annotations

from pathlib import Path

_BOTH = {
    "pytest": "pytest",
    "pytest_asyncio": "pytest-asyncio",
    "xdist": "pytest-xdist",
    "rich": "rich",
    "inline_snapshot": "inline-snapshot",
    "griffe": "griffe",
}

NEEDS: dict[str, dict[str, str]] = {
    "openai": {
        **_BOTH,
        "PIL": "Pillow",
        "trio": "trio",
        "httpx": "httpx",
        "botocore": "botocore",
        "azure.identity": "azure-identity",
        "google.auth": "google-auth[requests]",
        "aiohttp": "openai[aiohttp]",
        "websockets": "openai[realtime]",
        "pandas": "openai[datalib]",
    },
    "anthropic": {
        **_BOTH,
        "http_snapshot": "http-snapshot[httpx]==0.1.9",
        "respx": "respx",
        "time_machine": "time-machine",
        "dirty_equals": "dirty-equals",
        "hypothesis": "hypothesis",
        "importlib_metadata": "importlib-metadata",
        "opentelemetry.sdk": "opentelemetry-sdk",
        "packaging": "packaging",
        "boto3": "anthropic[bedrock]",
        "google.auth": "anthropic[vertex]",
        "aiohttp": "anthropic[aiohttp]",
        "mcp": "anthropic[mcp]",
        "standardwebhooks": "anthropic[webhooks]",
    },
}
"""Module a suite imports -> what to install for it. `requirements.txt` is the same for both suites at once."""

EXCLUDE: dict[str, list[str]] = {
    "openai": ["tests/test_uv_workflows.py", "tests/test_dependency_constraints.py", "tests/test_readme_metadata.py"],
    "anthropic": ["tests/test_detect_breaking_changes.py"],
}
"""Tests of a repository's own tooling, not of clients."""

QUICK: dict[str, list[str]] = {
    "openai": [
        "tests/test_client.py", "tests/test_client_runtime_bindings.py", "tests/test_streaming.py",
        "tests/test_stream_mode.py", "tests/test_sse_framing.py", "tests/test_response.py",
        "tests/test_legacy_response.py", "tests/test_auth.py", "tests/test_httpx2.py", "tests/test_httpx2_base.py",
        "tests/test_httpx_compat.py", "tests/test_httpx2_respx.py", "tests/test_httpx2_decompression.py",
        "tests/test_module_client.py", "tests/test_retry_after_overflow.py", "tests/test_debug_logging.py",
        "tests/test_status_error_messages.py", "tests/test_x509_workload_identity_transport.py",
        "tests/test_x509_workload_identity.py", "tests/test_multipart_encoding.py",
        "tests/test_data_residency_contract.py", "tests/test_websocket_connection_options.py",
        "tests/test_send_queue.py", "tests/lib/chat", "tests/lib/test_azure.py", "tests/lib/test_bedrock.py",
        "tests/lib/test_audio.py", "tests/lib/test_embeddings.py", "tests/lib/test_webhooks.py",
        "tests/api_resources/chat", "tests/api_resources/responses", "tests/api_resources/test_responses.py",
        "tests/api_resources/test_embeddings.py", "tests/api_resources/test_models.py",
        "tests/api_resources/test_files.py", "tests/api_resources/audio", "tests/api_resources/test_batches.py",
    ],
    "anthropic": [
        "tests/test_client.py", "tests/test_middleware.py", "tests/test_streaming.py", "tests/test_response.py",
        "tests/test_exceptions.py", "tests/test_header_case_sensitivity.py", "tests/test_tracing.py",
        "tests/test_prepare.py", "tests/lib/test_client_copy.py", "tests/lib/test_credentials.py",
        "tests/lib/test_platform_resources.py", "tests/lib/streaming", "tests/lib/test_refusal_fallback.py",
        "tests/lib/test_bedrock.py", "tests/lib/test_vertex.py", "tests/lib/_parse",
        "tests/api_resources/test_messages.py", "tests/api_resources/messages", "tests/api_resources/test_models.py",
        "tests/api_resources/test_files.py", "tests/api_resources/beta/test_messages.py",
    ],
}  # fmt: skip
"""The files that depend most on what sits between an SDK's resources and the network."""


def targets(package: str, sdist: Path, mode: str) -> list[str]:
    """What pytest is given: everything, or the quick files that this version has."""
    if mode == "full":
        return ["tests"]
    return [path for path in QUICK[package] if (sdist / path).exists()]
