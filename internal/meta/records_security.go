package meta

// AccessControlEntryRecord adds an access control entry.
type AccessControlEntryRecord struct {
	ID             ID     `kafka:"0+"`
	ResourceType   int8   `kafka:"0+"`
	ResourceName   string `kafka:"0+"`
	PatternType    int8   `kafka:"0+"`
	Principal      string `kafka:"0+"`
	Host           string `kafka:"0+"`
	Operation      int8   `kafka:"0+"`
	PermissionType int8   `kafka:"0+"`

	UnknownTags
}

// RemoveAccessControlEntryRecord takes an access control entry away.
type RemoveAccessControlEntryRecord struct {
	ID ID `kafka:"0+"`

	UnknownTags
}

// UserScramCredentialRecord sets a user's credential for a SCRAM mechanism.
type UserScramCredentialRecord struct {
	Name       string `kafka:"0+"`
	Mechanism  int8   `kafka:"0+"`
	Salt       []byte `kafka:"0+"`
	StoredKey  []byte `kafka:"0+"`
	ServerKey  []byte `kafka:"0+"`
	Iterations int32  `kafka:"0+"`

	UnknownTags
}

// RemoveUserScramCredentialRecord takes a user's credential away.
type RemoveUserScramCredentialRecord struct {
	Name      string `kafka:"0+"`
	Mechanism int8   `kafka:"0+"`

	UnknownTags
}

// DelegationTokenRecord sets a delegation token, or renews it.
type DelegationTokenRecord struct {
	Owner               string   `kafka:"0+"`
	Requester           string   `kafka:"0+"`
	Renewers            []string `kafka:"0+"`
	IssueTimestamp      int64    `kafka:"0+"`
	MaxTimestamp        int64    `kafka:"0+"`
	ExpirationTimestamp int64    `kafka:"0+"`
	TokenID             string   `kafka:"0+"`

	UnknownTags
}

// RemoveDelegationTokenRecord takes a delegation token away.
type RemoveDelegationTokenRecord struct {
	TokenID string `kafka:"0+"`

	UnknownTags
}

// QuotaEntity is one part of whom a quota is for: a user, a client id, an ip.
type QuotaEntity struct {
	EntityType string  `kafka:"0+"`
	EntityName *string `kafka:"0+,nullable 0+"` // null: the default of its type

	UnknownTags
}

// ClientQuotaRecord sets one quota of an entity, or takes it away.
type ClientQuotaRecord struct {
	Entity []QuotaEntity `kafka:"0+"`
	Key    string        `kafka:"0+"`
	Value  float64       `kafka:"0+"`
	Remove bool          `kafka:"0+"`

	UnknownTags
}

// Kind names the record's type.
func (*AccessControlEntryRecord) Kind() Kind        { return KindAccessControlEntry }
func (*RemoveAccessControlEntryRecord) Kind() Kind  { return KindRemoveAccessControlEntry }
func (*UserScramCredentialRecord) Kind() Kind       { return KindUserScramCredential }
func (*RemoveUserScramCredentialRecord) Kind() Kind { return KindRemoveUserScramCredential }
func (*DelegationTokenRecord) Kind() Kind           { return KindDelegationToken }
func (*RemoveDelegationTokenRecord) Kind() Kind     { return KindRemoveDelegationToken }
func (*ClientQuotaRecord) Kind() Kind               { return KindClientQuota }
