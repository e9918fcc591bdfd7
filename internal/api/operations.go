package api

// The operations of Kafka's ACLs, by their codes on the wire.
const (
	opRead            = 3
	opWrite           = 4
	opCreate          = 5
	opDelete          = 6
	opAlter           = 7
	opDescribe        = 8
	opClusterAction   = 9
	opDescribeConfigs = 10
	opAlterConfigs    = 11
	opIdempotentWrite = 12
)

// What everybody may do, a bit an operation, while there is no authorizer.
const (
	topicOperations = 1<<opRead | 1<<opWrite | 1<<opCreate | 1<<opDelete | 1<<opAlter | 1<<opDescribe |
		1<<opDescribeConfigs | 1<<opAlterConfigs
	groupOperations   = 1<<opRead | 1<<opDelete | 1<<opDescribe | 1<<opDescribeConfigs | 1<<opAlterConfigs
	clusterOperations = 1<<opCreate | 1<<opAlter | 1<<opDescribe | 1<<opClusterAction | 1<<opDescribeConfigs |
		1<<opAlterConfigs | 1<<opIdempotentWrite
	// operationsNotAsked stands where a client did not ask for operations.
	operationsNotAsked int32 = -1 << 31
)
