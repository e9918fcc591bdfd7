package config

// serverRows are the settings of the process and of what it does on request.
func serverRows() []Row {
	return []Row{
		{Name: "alter.config.policy.class.name", Type: Class, Null: true, Importance: Low,
			Status: NotYet, Why: noPolicies,
			Doc: ""},
		{Name: "auto.create.topics.enable", Type: Boolean, Default: "true",
			Doc: ""},
		{Name: "background.threads", Type: Int, Default: "10", Check: atLeast(1), Update: ClusterWide,
			Status: NoEffect, Why: noThreadPools,
			Doc: ""},
		{Name: "config.providers", Type: List, Importance: Low, Update: ClusterWide,
			Status: NotYet, Why: noProviders,
			Doc: ""},
		{Name: "controlled.shutdown.enable", Type: Boolean, Default: "true", Importance: Medium,
			Status: NotYet, Why: noCluster,
			Doc: ""},
		{Name: "create.topic.policy.class.name", Type: Class, Null: true, Importance: Low,
			Status: NotYet, Why: noPolicies,
			Doc: ""},
		{Name: "delete.topic.enable", Type: Boolean, Default: "true",
			Doc: ""},
		{Name: "num.io.threads", Type: Int, Default: "8", Check: atLeast(1), Update: ClusterWide,
			Status: NoEffect, Why: noThreadPools,
			Doc: ""},
		{Name: "unstable.api.versions.enable", Type: Boolean, Default: "false", Internal: true,
			Status: NotYet, Why: noUnstable,
			Doc: ""},
		{Name: "unstable.feature.versions.enable", Type: Boolean, Default: "false", Internal: true,
			Status: NotYet, Why: noUnstable,
			Doc: ""},
	}
}
