"""Pages, documents and lines for people and for tools, all rendered from one event log."""
