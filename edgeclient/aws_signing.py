"""Requests to AWS services, signed with Signature Version 4 by botocore. Reads environment, files and clock through it.

botocore is optional, and imported when an endpoint wants it. Its chain of credentials counts: the environment, profiles,
containers, instances; those that end are renewed by it, which may ask the network within a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import SettingsError

_OURS = ("authorization", "x-amz-date", "x-amz-security-token")


class Signer:
    """Signs each request to a service in a region. Thread-safe. Raises SettingsError without botocore or credentials."""

    def __init__(self, service: str, region: str) -> None:
        try:
            import botocore.session
            from botocore.auth import SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise SettingsError(
                f"requests to {service} are signed by botocore, which is not installed; pip install 'edgeclient[aws]'"
            ) from None
        try:
            self._credentials: Any = botocore.session.Session().get_credentials()
        except BotoCoreError as error:
            raise SettingsError(f"no credentials of AWS: {error}") from None
        if self._credentials is None:
            raise SettingsError(
                "no credentials of AWS: botocore found none; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "AWS_PROFILE, or run where a role gives them"
            )
        self._service, self._region = service, region
        self._auth, self._request = SigV4Auth, AWSRequest

    def __call__(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Mapping[str, str]:
        """The headers that sign a request: its method, URL, body, type and all that it says to AWS."""
        said = {n: v for n, v in headers.items() if n == "content-type" or n.startswith("x-amzn-")}
        request = self._request(method=method, url=url, data=content, headers=said)
        self._auth(self._credentials.get_frozen_credentials(), self._service, self._region).add_auth(request)
        return {name: request.headers[name] for name in _OURS if name in request.headers}
