"""What the program does, over the ports of the domain: no SDK, no SQL, no gRPC."""
