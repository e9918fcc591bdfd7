package logdir

import (
	"fmt"
	"strconv"
	"strings"
)

// parseProperties reads the Java properties format as far as meta.properties can use it: comments, the three separators, escapes and
// continued lines. It is not the library that reads server.properties because that one leaves a goroutine behind for
// each malformed input, and this file may be any garbage that a disk returns.
func parseProperties(b []byte) (map[string]string, error) {
	text := make([]rune, len(b))
	for i, c := range b {
		text[i] = rune(c) // ISO 8859-1
	}
	values := map[string]string{}
	for lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"); len(lines) > 0; {
		line := strings.TrimLeft(lines[0], " \t\f")
		lines = lines[1:]
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continued(line) && len(lines) > 0 {
			line = line[:len(line)-1] + strings.TrimLeft(lines[0], " \t\f")
			lines = lines[1:]
		}
		end := keyEnd(line)
		value := strings.TrimLeft(line[end:], " \t\f")
		if value != "" && (value[0] == '=' || value[0] == ':') {
			value = strings.TrimLeft(value[1:], " \t\f")
		}
		key, err := unescape(line[:end])
		if err != nil {
			return nil, err
		}
		if values[key], err = unescape(value); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// continued says that a line ends with an odd number of backslashes.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// keyEnd is where the key ends: at the first separator that is not escaped.
func keyEnd(line string) int {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '=', ':', ' ', '\t', '\f':
			return i
		}
	}
	return len(line)
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			out.WriteByte('\n')
		case 't':
			out.WriteByte('\t')
		case 'r':
			out.WriteByte('\r')
		case 'f':
			out.WriteByte('\f')
		case 'u':
			code, err := strconv.ParseUint(s[i+1:min(i+5, len(s))], 16, 16)
			if err != nil || i+5 > len(s) {
				return "", fmt.Errorf("malformed \\u in %.40q", s)
			}
			out.WriteRune(rune(code))
			i += 4
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String(), nil
}

// escape writes a value as Java does, so that any reads back.
func escape(s string) string {
	var out strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(`\=:#!`, r) || r == ' ' && i == 0:
			out.WriteByte('\\')
			out.WriteRune(r)
		case r < 0x20 || r > 0x7e && r <= 0xffff:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
