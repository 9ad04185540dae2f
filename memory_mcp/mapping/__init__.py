"""Maps: the memories' vectors laid out on a plane."""
