"""The generated blocks by name, and their places between two comments in a page."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from local.docgen import fields, sources, tables, values
from tfserving_operator import config
from tfserving_operator.api import status, types

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "operator" / "tfserving_operator"

_BLOCK = re.compile(r"(?P<begin><!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def _spec() -> str:
    return fields.render(types.Spec, "spec", is_written=True)


def _status() -> str:
    return fields.render(status.Status, "status", is_written=False)


def _words(name: str, folder: str = "api") -> str:
    rows = [(f"`{w.value}`", _capital(w.meaning)) for w in sources.words_of(PACKAGE / folder, name)]
    return tables.render((_spaced(name), "Meaning"), rows)


def _reasons() -> str:
    sections: dict[str, list[tuple[str, str]]] = {}
    for word in sources.words_of(PACKAGE / "api", "Reason"):
        sections.setdefault(word.section, []).append((f"`{word.value}`", _capital(word.meaning)))
    parts = [f"### {name}\n\n{tables.render(('Reason', 'Meaning'), rows)}" for name, rows in sections.items()]
    return "\n".join(parts)


def _capital(meaning: str) -> str:
    text = meaning.removeprefix("means ")
    return text[:1].upper() + text[1:] + "."


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def _settings() -> str:
    docs = sources.attributes_of(PACKAGE / "config.py", "Config")
    rows = []
    for attribute, field in config.Config.model_fields.items():
        value = field.get_default(call_default_factory=True)
        shown = (
            "[" + ", ".join(value) + "]" if isinstance(value, tuple) else str(value).replace("True", "true")
        )
        rows.append((f"`{field.alias}`", f"`{shown}`" if shown else "", docs[attribute]))
    return tables.render(("Setting", "Default", "What it is"), rows)


def _metrics() -> str:
    rows = [
        (f"`{m.name}`", m.kind, ", ".join(f"`{label}`" for label in m.labels), m.text)
        for m in sources.metrics_of(PACKAGE)
    ]
    return tables.render(("Metric", "Kind", "Labels", "What it is"), rows)


def _values() -> str:
    return values.render(CHECKOUT / "charts" / "tfserving-operator" / "values.yaml")


BLOCKS: Mapping[str, Callable[[], str]] = {
    "spec": _spec,
    "status": _status,
    "phases": lambda: _words("Phase"),
    "steps": lambda: _words("Step"),
    "verdicts": lambda: _words("Verdict"),
    "conditions": lambda: _words("ConditionType"),
    "reasons": _reasons,
    "causes": lambda: _words("Cause", "core/smoke"),
    "settings": _settings,
    "metrics": _metrics,
    "values": _values,
}
"""What a block's name stands for."""


def fill(text: str) -> str:
    """Return a page with its generated blocks written anew.

    Raises
    ------
    ValueError
        When a block has a name that nothing stands behind.
    """

    def block(matched: re.Match[str]) -> str:
        name = matched["name"]
        if name not in BLOCKS:
            raise ValueError(f"no block is named {name}; there are {', '.join(BLOCKS)}")
        return f"{matched['begin']}\n{BLOCKS[name]()}\n{matched['end']}"

    return _BLOCK.sub(block, text)
