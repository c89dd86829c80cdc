"""How the nets are judged: each protocol with its split list, its leak test and its name."""
