"""Where a call may go: the PoPs, how far they are, how they are doing, and which one answered."""
