"""llama.cpp's server for tests, and a model for it."""
