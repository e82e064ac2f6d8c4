"""Writing the site to a folder."""

from fairsplit.orchestration.publishing.site.write import PublishedSite, publish_site

__all__ = ["PublishedSite", "publish_site"]
