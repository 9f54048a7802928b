"""Risk that delayed labels give to merchants, devices and places."""
