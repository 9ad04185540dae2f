"""The middleware of every request, whatever the transport: authorization, rate limits, the response cache, errors."""
