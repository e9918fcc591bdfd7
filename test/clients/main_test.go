//go:build suite

package clients

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// barnabas is the broker and command line under test, built once for the suite; BARNABAS names another one.
var barnabas = os.Getenv("BARNABAS")

// cache is where the libraries are installed.
var cache string

func TestMain(m *testing.M) {
	code, err := suite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func suite(m *testing.M) (int, error) {
	var err error
	if cache, err = filepath.Abs(".cache"); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return 0, err
	}
	if barnabas == "" {
		if barnabas, err = kafkatest.Build(context.Background()); err != nil {
			return 0, err
		}
	}
	if err := install(); err != nil {
		return 0, err
	}
	return m.Run(), nil
}
