"""The home folder as a Dagster resource."""

import dagster as dg

from orchestration.paths import Home


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives steps the home named by the environment of the process that runs them."""

    def open(self) -> Home:
        """The prepared home."""
        return Home.from_environment().prepare()
