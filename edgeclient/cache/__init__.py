"""The client-side cache: what may be asked of it, what may be stored, and where it is kept."""
