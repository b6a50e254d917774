"""Names for versions, as the model configuration assigns them."""

from collections.abc import Mapping, Sequence

from local.modelserver import configs, errors, states


class Labels:
    """The labels of all models."""

    def __init__(self, *, are_unavailable_allowed: bool) -> None:
        self._are_unavailable_allowed = are_unavailable_allowed
        self._versions: Mapping[str, Mapping[str, int]] = {}

    def update(self, models: Sequence[configs.Model], monitor: states.Monitor) -> None:
        """Take over the labels of a configuration, all or none.

        A label may only be given to a version that is available. The flag lifts that for labels that are new or stay
        where they are; one that moves must still move to an available version.
        """
        for model in models:
            for label, version in model.labels.items():
                known = self._versions.get(model.name, {}).get(label, version)
                if self._are_unavailable_allowed and known == version:
                    continue
                if not monitor.is_available(model.name, version):
                    raise errors.ServingError(
                        errors.Code.FAILED_PRECONDITION,
                        f"Request to assign label to version {version} of model {model.name}, which is not currently"
                        " available for inference",
                    )
        self._versions = {model.name: dict(model.labels) for model in models}

    def version(self, name: str, label: str) -> int:
        """Return the version that a label names."""
        number = self._versions.get(name, {}).get(label)
        if number is None:
            raise errors.invalid_argument(f"Unrecognized servable version label: {label}")
        return number
