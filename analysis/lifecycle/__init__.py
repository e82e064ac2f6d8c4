"""An experiment's life: which transition is legal, what it writes into the file, what it leaves in the log."""
