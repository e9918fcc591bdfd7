package kafkatest

import (
	"context"
	"fmt"
	"os/exec"
)

// Tool runs one of Kafka's command-line tools by its class, and answers what it wrote to its output and error output.
// Its error holds that as well.
func Tool(ctx context.Context, class string, arguments ...string) ([]byte, error) {
	c, err := ToolCommand(ctx, class, arguments...)
	if err != nil {
		return nil, err
	}
	out, err := c.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("%s %q: %w\n%s", class, arguments, err, out)
	}
	return out, nil
}

// ToolCommand is a tool that has not been started: for input, for a time limit, for what runs beside the test.
func ToolCommand(ctx context.Context, class string, arguments ...string) (*exec.Cmd, error) {
	classPath, err := ClassPath(ctx, Tools)
	if err != nil {
		return nil, err
	}
	java := []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR", "-cp", classPath, class}
	c := exec.CommandContext(ctx, "java", append(java, arguments...)...)
	c.SysProcAttr = dieWithParent()
	return c, nil
}
