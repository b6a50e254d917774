"""Why a test fails: causes told by rules over what was recorded, and by the searches of `probes`."""
