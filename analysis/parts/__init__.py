"""Custom parts: tests, statistics, designs and searches that other distributions bring."""
