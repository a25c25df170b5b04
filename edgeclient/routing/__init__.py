"""Which route a call takes, and which endpoints may serve it."""
