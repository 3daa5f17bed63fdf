"""Cases, findings and their storage: what quantdiff reads, writes and keeps."""
