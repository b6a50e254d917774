import itertools

import kopf

from tfserving_operator.handlers import settings


def test_backoffs_never_end_and_are_capped() -> None:
    backoffs = settings.Backoffs()
    first = list(itertools.islice(backoffs, 200))
    assert first[0] <= 0.25
    assert max(first) <= settings.BACKOFF_CAP_SECONDS
    assert min(first[20:]) >= settings.BACKOFF_CAP_SECONDS / 2
    assert next(iter(backoffs)) <= 0.25


def test_kopf_keeps_nothing_on_objects_and_posts_nothing() -> None:
    made = settings.build_settings()
    assert not made.posting.enabled
    assert made.peering.standalone
    assert made.scanning.disabled
    body = kopf.Body({"metadata": {}, "spec": {"a": 1}})
    patch = kopf.Patch()
    storages = made.persistence
    storages.diffbase_storage.store(body=body, patch=patch, essence={})
    storages.progress_storage.store(body=body, patch=patch, key="k", record={})
    storages.progress_storage.touch(body=body, patch=patch, value="v")
    assert dict(patch) == {}
    assert storages.diffbase_storage.fetch(body=body) is None
