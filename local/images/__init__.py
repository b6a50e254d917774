"""Container images without a registry: a Debian base made here, and the project's own Dockerfiles on it.

Everything is a docker-archive in the cache, found by the hash of what it is made from.
``python -m local.images base`` and ``python -m local.images build …`` print the archive's path.
"""
