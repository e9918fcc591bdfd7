package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	startTimeout = 2 * time.Minute // a Kafka on two busy cores; alone it takes 4 s
	stopTimeout  = time.Minute
)

// Options say how a node runs. The zero value of each but Dir is a sensible choice.
type Options struct {
	Dir           string            // holds the node's data (Dir/data), its settings and its output; kept after the end
	Settings      map[string]string // on top of those that a node alone needs in tests; "" takes one away
	NodeID        int               // 0: node 1
	Ports         []int             // of clients and of controllers, where others have to know them; nil: free ones
	Cluster       string            // cluster id that Kafka formats with; "": one of ours
	Version       Jars              // of Kafka; "": Server44
	HeapMB        int               // of Kafka; 0: 512
	Java          []string          // further options for Kafka's Java
	KafkaSettings bool              // Barnabas gets the settings of a Kafka that is a whole cluster
	Binary        string            // of Barnabas; "": a fresh build
	Arguments     []string          // further ones after barnabas serve
	Unformatted   bool              // do not format Kafka's directory: it has been before
}

// Node is one broker process with its directory.
type Node struct {
	Address    string // host:port of the PLAINTEXT listener
	Controller string // host:port of the CONTROLLER listener, if it has one
	Dir        string // Options.Dir
	DataDir    string // the only one of log.dirs
	Output     string // the file that takes the process's output
	PID        int    // of the running process
	Command    []string

	process *exec.Cmd
	exited  chan struct{} // closed when the process is gone
}

// StartKafka formats a directory unless it is already, starts a Kafka on it and waits until it serves.
func StartKafka(o Options) (*Node, error) {
	if o.Version == "" {
		o.Version = Server44
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	classPath, err := ClassPath(ctx, o.Version)
	if err != nil {
		return nil, err
	}
	n, properties, err := prepare(o, kafkaSettings)
	if err != nil {
		return nil, err
	}
	logging := filepath.Join(o.Dir, "log4j2.properties")
	if err := os.WriteFile(logging, []byte(logSettings), 0o644); err != nil {
		return nil, err
	}
	if o.HeapMB == 0 {
		o.HeapMB = 512
	}
	if o.Cluster == "" {
		o.Cluster = "TmmGYNq0Sj2YdNZPhDmK0g"
	}
	java := []string{"java", fmt.Sprintf("-Xmx%dm", o.HeapMB), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile=" + logging}
	java = append(append(java, o.Java...), "-cp", classPath)
	if !o.Unformatted && !exists(filepath.Join(n.DataDir, "meta.properties")) {
		format := append(slices.Clone(java), "kafka.tools.StorageTool", "format", "-t", o.Cluster, "-c", properties)
		if out, err := exec.CommandContext(ctx, format[0], format[1:]...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("format %s: %w\n%s", n.DataDir, err, out)
		}
	}
	n.Command = append(java, "kafka.Kafka", properties)
	return n, n.Start()
}

// StartBarnabas starts a Barnabas and waits until it serves.
func StartBarnabas(o Options) (*Node, error) {
	if o.Binary == "" {
		binary, err := Build(context.Background())
		if err != nil {
			return nil, err
		}
		o.Binary = binary
	}
	n, properties, err := prepare(o, barnabasSettings)
	if err != nil {
		return nil, err
	}
	n.Command = append([]string{o.Binary, "serve", properties}, o.Arguments...)
	return n, n.Start()
}

// Build builds Barnabas from this tree, once a process, and says where the binary is.
func Build(ctx context.Context) (string, error) {
	dir, err := Cache("bin")
	if err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	binary := filepath.Join(dir, fmt.Sprintf("barnabas-%d", os.Getpid()))
	if exists(binary) {
		return binary, nil
	}
	forget(dir)
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/barnabas")
	build.Dir = Root()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// forget removes binaries whose process is gone.
func forget(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "barnabas-*"))
	for _, file := range files {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(file), "barnabas-%d", &pid); err == nil && !running(pid) {
			_ = os.Remove(file)
		}
	}
}

// prepare writes the node's settings below its directory.
func prepare(o Options, defaults func(o Options, broker, controller int) map[string]string) (*Node, string, error) {
	if o.Dir == "" {
		return nil, "", errors.New("a node without a directory")
	}
	if o.NodeID == 0 {
		o.NodeID = 1
	}
	ports := o.Ports
	if ports == nil {
		var err error
		if ports, err = FreePorts(2); err != nil {
			return nil, "", err
		}
	}
	n := &Node{
		Address: fmt.Sprintf("127.0.0.1:%d", ports[0]), Controller: fmt.Sprintf("127.0.0.1:%d", ports[1]),
		Dir: o.Dir, DataDir: filepath.Join(o.Dir, "data"), Output: filepath.Join(o.Dir, "output.log"),
	}
	if err := os.MkdirAll(n.DataDir, 0o755); err != nil {
		return nil, "", err
	}
	settings := defaults(o, ports[0], ports[1])
	settings["log.dirs"] = n.DataDir
	maps.Copy(settings, o.Settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if settings[name] != "" {
			fmt.Fprintf(&text, "%s=%s\n", name, settings[name])
		}
	}
	properties := filepath.Join(o.Dir, "server.properties")
	return n, properties, os.WriteFile(properties, []byte(text.String()), 0o644)
}

// kafkaSettings are those of a Kafka that is a whole cluster.
func kafkaSettings(o Options, broker, controller int) map[string]string {
	s := map[string]string{
		"node.id": fmt.Sprint(o.NodeID), "process.roles": "broker,controller",
		"listeners":                "PLAINTEXT://127.0.0.1:" + fmt.Sprint(broker) + ",CONTROLLER://127.0.0.1:" + fmt.Sprint(controller),
		"controller.quorum.voters": fmt.Sprintf("%d@127.0.0.1:%d", o.NodeID, controller), "controller.listener.names": "CONTROLLER",
		"transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1", "transaction.state.log.num.partitions": "4",
		"share.coordinator.state.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1",
		"share.coordinator.state.topic.num.partitions": "4",
	}
	if o.Version == Server39 {
		for _, name := range []string{"replication.factor", "min.isr", "num.partitions"} {
			delete(s, "share.coordinator.state.topic."+name)
		}
	}
	maps.Copy(s, groupSettings())
	return s
}

// barnabasSettings are those of a Barnabas that is a whole cluster.
func barnabasSettings(o Options, broker, controller int) map[string]string {
	if o.KafkaSettings {
		return kafkaSettings(o, broker, controller)
	}
	s := map[string]string{"node.id": fmt.Sprint(o.NodeID), "listeners": "PLAINTEXT://127.0.0.1:" + fmt.Sprint(broker)}
	maps.Copy(s, groupSettings())
	return s
}

// groupSettings make groups quick and few: nobody waits for more members, and four partitions open faster than fifty.
func groupSettings() map[string]string {
	return map[string]string{
		"group.initial.rebalance.delay.ms": "0", "offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "4",
	}
}

const logSettings = `status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
`

// FreePorts finds ports of 127.0.0.1 that nobody listens at.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after all are found, or one could be found twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
