"""The site is built without a warning, and loads nothing from elsewhere."""

import os
import re
import subprocess

from tests.docs import pages

_LOADED = re.compile(
    r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"|<link[^>]+rel="stylesheet"[^>]+href="(https?:[^"]+)"'
)


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    done = subprocess.run(
        [pages.CHECKOUT / ".venv" / "bin" / "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=pages.CHECKOUT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built = list(tmp_path.rglob("*.html"))
    assert len(built) >= len(list((pages.CHECKOUT / "docs").rglob("*.md")))
    loaded = [found.group(0) for path in built for found in _LOADED.finditer(path.read_text())]
    assert loaded == []
