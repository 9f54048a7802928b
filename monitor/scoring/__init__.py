"""How strange a transaction is, and which features made it so."""
