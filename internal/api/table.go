package api

// Table is every request that is served, by key. ApiVersions advertises exactly these rows. Each Max is Kafka 4.4's
// newest stable version; each Min the oldest that the codec has, older than what Kafka 4.x serves, because KIP-896
// broke clients that are still in use.
func Table() []Row {
	return []Row{
		{Key: 18, Min: 0, Max: 5, Handle: (*Broker).apiVersions},
	}
}
