"""The runtimes: how the pipeline, written once, sends and waits in threads, in tasks, and under virtual time."""
