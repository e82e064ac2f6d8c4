"""Writing the site to a folder."""

from orchestration.site.write import PublishedSite, publish_site

__all__ = ["PublishedSite", "publish_site"]
