"""Risk that delayed labels give to merchants, devices and places: built into snapshots, looked up when deciding."""
