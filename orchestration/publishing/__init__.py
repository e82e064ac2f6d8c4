"""One publication: allocation configs, site, ledger and the tables beside them."""
