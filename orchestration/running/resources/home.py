"""The home folder as a Dagster resource."""

import os

import dagster as dg

from fairsplit.orchestration.project import Home


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives steps the home named by the environment of the process that runs them."""

    def open(self) -> Home:
        """The prepared home; dbt's profile, in a process of its own, finds it by the same variable."""
        home = Home.from_environment().prepare()
        os.environ["FAIRSPLIT_HOME"] = str(home.root)
        return home
