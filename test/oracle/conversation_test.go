//go:build suite

package oracle

import (
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// conversation is a script about one API, which is run in every version of it from the one to the other.
type conversation struct {
	name     string
	key      kmsg.Key
	from, to int16 // to below 0: the newest
	alone    bool  // sees what others do: no other runs beside it
	talk     func(t *Talk)
}

// every is a conversation in all versions.
func every(key kmsg.Key, name string, talk func(t *Talk)) conversation {
	return conversation{name: name, key: key, to: -1, talk: talk}
}

// since is one in all versions from a version on.
func since(key kmsg.Key, from int16, name string, talk func(t *Talk)) conversation {
	return conversation{name: name, key: key, from: from, to: -1, talk: talk}
}

// between is one in some versions.
func between(key kmsg.Key, from, to int16, name string, talk func(t *Talk)) conversation {
	return conversation{name: name, key: key, from: from, to: to, talk: talk}
}

// byItself makes a conversation run while no other does.
func byItself(c conversation) conversation {
	c.alone = true
	return c
}

func conversations() []conversation {
	return slices.Concat(
		aboutConnections(), aboutMetadata(), aboutTopics(), aboutConfigs(), aboutLoggers(), aboutProduce(), aboutBadBatches(), aboutIdempotence(),
		aboutMessageSets(), aboutFetch(), aboutOffsets(), aboutGroups(), aboutCommittedOffsets(),
		aboutTheCluster(),
	)
}

// run has a conversation with one broker. What it said until it failed is kept.
func run(c conversation, version int16, b *broker) (t *Talk, err error) {
	t = newTalk(b, fmt.Sprintf("%s-v%d-%s", kmsg.NameForKey(int16(c.key)), version, words(c.name)), version)
	defer t.closeAll()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failed:
			err = r.err
		default:
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	c.talk(t)
	return t, nil
}

// words makes a name for topics out of that of a conversation.
func words(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c == ' ' || c == '\'' || c == ',' || c == '/' || c == ':' || c == '(' || c == ')' {
			b[i] = '-'
		}
	}
	return string(b)
}
