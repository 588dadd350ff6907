"""The near side: the engine that places runs on workers, the hub with their newest records, the store on disk."""
