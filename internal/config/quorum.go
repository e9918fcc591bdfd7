package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Voter is one controller of controller.quorum.voters.
type Voter struct {
	ID   int32
	Host string
	Port int32
}

// Voters are the controllers that controller.quorum.voters names.
func (v *Values) Voters() []Voter {
	voters := make([]Voter, 0, len(votersKey.Of(v)))
	for _, entry := range votersKey.Of(v) {
		voter, problem := parseVoter(entry)
		if problem != "" {
			panic("config: an unchecked controller.quorum.voters: " + problem)
		}
		voters = append(voters, voter)
	}
	return voters
}

// BootstrapServers are the controllers' addresses that controller.quorum.bootstrap.servers names.
func (v *Values) BootstrapServers() []string { return bootstrapServersKey.Of(v) }

func parseVoter(entry string) (Voter, string) {
	id, address, found := strings.Cut(entry, "@")
	n, err := strconv.ParseInt(id, 10, 32)
	if !found || err != nil || n < 0 {
		return Voter{}, fmt.Sprintf("%q does not have the form <node id>@<host>:<port>", entry)
	}
	host, port, problem := splitAddress(address)
	return Voter{ID: int32(n), Host: host, Port: port}, problem
}

func splitAddress(address string) (host string, port int32, problem string) {
	host, text, err := net.SplitHostPort(address)
	n, numErr := strconv.ParseUint(text, 10, 16)
	if err != nil || numErr != nil {
		return "", 0, fmt.Sprintf("%q does not have the form <host>:<port>", address)
	}
	return host, int32(n), ""
}

// quorumVoters allows lists of <node id>@<host>:<port>.
func quorumVoters() Check {
	return Check{Allowed: "<node id>@<host>:<port>,...", problem: func(_ string, value any) string {
		var ids []int32
		for _, entry := range value.([]string) {
			voter, problem := parseVoter(entry)
			if problem == "" && slices.Contains(ids, voter.ID) {
				problem = fmt.Sprintf("node id %d appears twice", voter.ID)
			}
			if problem != "" {
				return problem
			}
			ids = append(ids, voter.ID)
		}
		return ""
	}}
}

// bootstrapServers allows lists of <host>:<port>.
func bootstrapServers() Check {
	return Check{Allowed: "<host>:<port>,...", problem: func(_ string, value any) string {
		for _, entry := range value.([]string) {
			if _, _, problem := splitAddress(entry); problem != "" {
				return problem
			}
		}
		return ""
	}}
}

// hostPort allows one <host>:<port>, or nothing.
func hostPort() Check {
	return Check{Allowed: "<host>:<port>", problem: func(_ string, value any) string {
		if value.(string) == "" {
			return ""
		}
		_, _, problem := splitAddress(value.(string))
		return problem
	}}
}
