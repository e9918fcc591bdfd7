package config

// serverRows are the settings of the process and of what it does on request.
func serverRows() []Row {
	return []Row{
		{Name: "alter.config.policy.class.name", Type: Class, Null: true, Importance: Low,
			Status: NotYet, Why: noPolicies,
			Doc: "Java class that Kafka asks whether a change of configuration is allowed."},
		{Name: "auto.create.topics.enable", Type: Boolean, Default: "true",
			Doc: "Whether a topic comes into being when a client asks for the metadata of one that does not exist."},
		{Name: "background.threads", Type: Int, Default: "10", Check: atLeast(1), Update: ClusterWide,
			Status: NoEffect, Why: noThreadPools,
			Doc: "Threads that Kafka uses for chores in the background."},
		{Name: "config.providers", Type: List, Check: listOf(true), Importance: Low, Update: ClusterWide,
			Status: NotYet, Why: noProviders,
			Doc: "Names of the plug-ins that resolve ${provider:key} in values, each configured by config.providers.<name>.…"},
		{Name: "controlled.shutdown.enable", Type: Boolean, Default: "true", Importance: Medium,
			Status: NotYet, Why: noCluster,
			Doc: "Whether a broker that stops hands its leaderships over first."},
		{Name: "create.topic.policy.class.name", Type: Class, Null: true, Importance: Low,
			Status: NotYet, Why: noPolicies,
			Doc: "Java class that Kafka asks whether a topic may be created."},
		{Name: "delete.topic.enable", Type: Boolean, Default: "true",
			Doc: "Whether topics can be deleted at all."},
		{Name: "num.io.threads", Type: Int, Default: "8", Check: atLeast(1), Update: ClusterWide,
			Status: NoEffect, Why: noThreadPools,
			Doc: "Threads that execute Kafka's requests."},
		{Name: "unstable.api.versions.enable", Type: Boolean, Default: "false", Internal: true,
			Status: NotYet, Why: noUnstable,
			Doc: "Whether versions of requests are served that are still being developed."},
		{Name: "unstable.feature.versions.enable", Type: Boolean, Default: "false", Internal: true,
			Status: NotYet, Why: noUnstable,
			Doc: "Whether versions of features are offered that are still being developed."},
	}
}
