"""What the edge tells about itself: events, counts, and mishaps that never fail a call."""
