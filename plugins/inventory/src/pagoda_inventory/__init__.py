"""Takes stock of the machine it runs on."""
