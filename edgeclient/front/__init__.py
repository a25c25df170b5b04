"""The lean ways: what the SDKs do with plain JSON, done without their general machinery, where the result is the same."""
