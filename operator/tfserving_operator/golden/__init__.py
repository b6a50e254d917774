"""Goldens: recorded where a model was trained, compared with what is served.

`records` reads what clients send, `references` (a Python pipeline, a SavedModel in TensorFlow, a served endpoint)
answer it, `recording` makes goldens with measured tolerances of the answers, `documents` writes them as a cases file
and as a ConfigMap, and `comparing` tells where a second reference differs.

This package runs on a person's machine or in CI. The operator never imports it, and only `savedmodels` imports
TensorFlow, when it is asked to.
"""
