"""Where calls come in and go out: the send seam of the SDKs, transports, and the two HTTP families."""
