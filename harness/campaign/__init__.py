"""What a campaign keeps while it runs."""
