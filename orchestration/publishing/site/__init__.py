"""Writing the site to a folder."""

from fairsplit.orchestration.publishing.site.write import WrittenSite, show, write_site

__all__ = ["WrittenSite", "show", "write_site"]
