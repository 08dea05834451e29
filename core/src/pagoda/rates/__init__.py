"""Rate limits: how often a user, a token, a user of a plugin may ask, counted for all processes together."""
