"""``make demo``: six versions of a digit classifier on a real cluster, while a client sends pictures."""
