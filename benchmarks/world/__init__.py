"""A world for rules of selection: measured paths, faults, PoPs with queues, under edgeclient's own virtual runtime."""
