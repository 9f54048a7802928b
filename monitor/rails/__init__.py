"""Payment rails: how each does, and which are walled off."""
