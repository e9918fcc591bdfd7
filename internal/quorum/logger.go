package quorum

import (
	"fmt"
	"log/slog"

	"go.etcd.io/raft/v3"
)

// libraryLogger passes the library's lines on. What it calls information is detail to an operator.
type libraryLogger struct{ to *slog.Logger }

var _ raft.Logger = libraryLogger{}

func (l libraryLogger) Debug(...any)          {}
func (l libraryLogger) Debugf(string, ...any) {}
func (l libraryLogger) Info(v ...any)         { l.to.Debug("raft: " + fmt.Sprint(v...)) }
func (l libraryLogger) Infof(format string, v ...any) {
	l.to.Debug("raft: " + fmt.Sprintf(format, v...))
}
func (l libraryLogger) Warning(v ...any) { l.to.Warn("raft: " + fmt.Sprint(v...)) }
func (l libraryLogger) Warningf(format string, v ...any) {
	l.to.Warn("raft: " + fmt.Sprintf(format, v...))
}
func (l libraryLogger) Error(v ...any) { l.to.Error("raft: " + fmt.Sprint(v...)) }
func (l libraryLogger) Errorf(format string, v ...any) {
	l.to.Error("raft: " + fmt.Sprintf(format, v...))
}
func (l libraryLogger) Fatal(v ...any)                 { panic("raft: " + fmt.Sprint(v...)) }
func (l libraryLogger) Fatalf(format string, v ...any) { panic("raft: " + fmt.Sprintf(format, v...)) }
func (l libraryLogger) Panic(v ...any)                 { panic("raft: " + fmt.Sprint(v...)) }
func (l libraryLogger) Panicf(format string, v ...any) { panic("raft: " + fmt.Sprintf(format, v...)) }
