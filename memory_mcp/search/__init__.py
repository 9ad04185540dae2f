"""How one query finds memories: intent, candidates, fusion, results."""
