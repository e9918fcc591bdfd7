package logdir

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestFolderNamesAreReadAsKafkaReadsThem(t *testing.T) {
	for name, want := range map[string]struct {
		topic     string
		partition int32
		kind      folderKind
	}{
		"orders-0":            {"orders", 0, folderLive},
		"or-der.s_1-12":       {"or-der.s_1", 12, folderLive},
		"a-delete-3":          {"a-delete", 3, folderLive},
		"x-0.abc-delete-7":    {"x-0.abc-delete", 7, folderLive},
		"-a-0":                {"-a", 0, folderLive},
		"orders-0.f00-delete": {"orders", 0, folderDeleted},
		"or.de-rs-10.0123456789abcdef0123456789abcdef-delete": {"or.de-rs", 10, folderDeleted},
		"orders-0.f00-future":  {"orders", 0, folderFuture},
		"orders-0.f00-stray":   {"orders", 0, folderStray},
		"__cluster_metadata-0": {"__cluster_metadata", 0, folderLive},
		"orders":               {},
		"orders-":              {},
		"-0":                   {},
		"orders-01":            {},
		"orders-+1":            {},
		"orders-2147483648":    {},
		"orders-delete":        {},
		"ord ers-0":            {},
		"..-0":                 {},
		"lost+found":           {},
	} {
		k, kind := parseFolder(name)
		if kind != want.kind || kind != folderForeign && (k != key{want.topic, want.partition}) {
			t.Errorf("%q: %v of kind %d, want %+v", name, k, kind, want)
		}
		if kind == folderLive && k.String() != name {
			t.Errorf("%q becomes %q", name, k)
		}
	}
}

func TestADeletedFolderOfALongTopicFitsTheFileSystem(t *testing.T) {
	k := key{strings.Repeat("t", maxTopicName), 12345}
	name := suffixedFolder(k, strings.Repeat("f", 32), deleteSuffix)
	if len(name) != maxFolderName {
		t.Errorf("%d characters", len(name))
	}
	if got, kind := parseFolder(name); kind != folderDeleted || got.partition != k.partition {
		t.Errorf("read back as %v of kind %d", got, kind)
	}
}

func TestNoTopicNameLeadsOutOfTheDirectory(t *testing.T) {
	for _, topic := range []string{"", ".", "..", "a/b", `a\b`, "../x", "a\x00", "ä", strings.Repeat("x", 250)} {
		if err := checkTopic(topic); !errors.Is(err, kerr.InvalidTopicException) {
			t.Errorf("%q: %v", topic, err)
		}
	}
}
