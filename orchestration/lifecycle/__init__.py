"""An experiment's life: transitions on its file, automatic acts, units assigned at once."""
