"""Has TensorFlow answer made inputs; run in a process of its own: answer.py FOLDER INPUTS.json."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def plain(value: Any) -> Any:
    """Strings as the model server decodes them."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [plain(one) for one in value] if isinstance(value, list) else value


def answer(folder: Path, cases: list[dict[str, Any]]) -> dict[str, Any]:
    model = tf.saved_model.load(str(folder / "1"))
    serve = model.signatures["serving_default"]
    specs = serve.structured_input_signature[1]
    answered, seen, problem = 0, set(), ""
    for case in cases:
        fed = {
            name: tf.constant(np.array(plain(value), dtype=object).tolist(), specs[name].dtype)
            for name, value in case.items()
        }
        try:
            outputs = serve(**fed)
        except tf.errors.OpError as error:
            problem = str(error)[:300]
            continue
        answered += 1
        seen.add(b"".join(outputs[name].numpy().tobytes() for name in sorted(outputs)))
    return {"answered": answered, "distinct": len(seen), "problem": problem}


def main(graphs: Path, cases: Path) -> None:
    wanted = json.loads(cases.read_text())
    print(json.dumps({name: answer(graphs / name, made) for name, made in wanted.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
