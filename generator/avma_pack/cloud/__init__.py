"""The way to Azure: the one place that imports azure-*, so that retries, paging and errors exist once."""
