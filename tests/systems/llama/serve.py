"""llama.cpp's own HTTP server, as its Python bindings carry it: `python serve.py MODEL ALIAS KEY`, until it is ended.

Prints its address. It runs in a process of its own, as a server of native code should beside tests.
"""

from __future__ import annotations

import signal
import sys

import xllamacpp


def main(model: str, alias: str, key: str) -> None:
    said = xllamacpp.CommonParams()
    said.model.path = model
    said.model_alias = {alias}
    said.api_keys = [key]
    said.port = 0
    said.n_ctx = 512
    said.n_parallel = 1
    said.cpuparams.n_threads = 1
    said.warmup = False
    said.use_jinja = True
    if "--embeddings" in sys.argv:
        said.embedding, said.pooling_type = True, xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(said)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:4])
