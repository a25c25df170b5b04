"""What goes wrong with recordings."""

from __future__ import annotations

from ..errors import EdgeError


class RecordingError(EdgeError):
    """A recording cannot be read or written, or is not used as its options say."""


class UnknownCall(RecordingError):
    """A call that was not recorded; says what differs from the nearest one that was.

    Inside of a client it is one of the SDK's own errors too, so that nothing is sent again. An app that catches it hides
    nothing: it is raised once more when the recording ends.
    """
