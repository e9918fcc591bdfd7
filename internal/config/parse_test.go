package config

import (
	"math"
	"testing"
)

func TestDoublesAreWrittenAsJavaDoes(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0.0", 0.5: "0.5", 1: "1.0", 2147483647: "2.147483647E9", math.MaxFloat64: "1.7976931348623157E308",
		1e7: "1.0E7", 9999999: "9999999.0", 0.001: "0.001", 0.0001: "1.0E-4", -12.25: "-12.25",
	} {
		if got := formatDouble(value); got != want {
			t.Errorf("%v is written %s, by Java %s", value, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "1", "-1", "9223372036854775807", "0.5", "1e400", "0x10", "NaN", "true", "a,b,,c", "PLAINTEXT://[::1]:9092", "1@h:1,2@h:2", "by_duration:P1D", "0:1,1:2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for scope := range scopeCount {
			for i := range Rows(scope) {
				row := &Rows(scope)[i]
				value, err := row.parse(text)
				if err != nil {
					continue
				}
				again, err := row.parse(format(value))
				if err != nil || format(again) != format(value) {
					t.Fatalf("%s: %q reads as %q, which reads as %v, %v", row.Name, text, format(value), again, err)
				}
			}
		}
		_, _ = parseListeners("listeners", splitList(text), map[string]string{"PLAINTEXT": "PLAINTEXT"})
		_ = Suggest(Broker, text)
	})
}

func FuzzLoad(f *testing.F) {
	f.Add(kafkaSample)
	f.Add("listeners=A://:1,B://[::1]:1\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\ncontroller.listener.names=B")
	f.Add("max.connections.per.ip.overrides=:,a:1,[::1]:2")
	f.Fuzz(func(_ *testing.T, text string) {
		source, err := FromProperties("fuzz", []byte(text))
		if err != nil {
			return
		}
		if v, _, err := LoadBroker(source); err == nil {
			DescribeBroker(v)
			DescribeTopic(v, source.Values)
		}
	})
}
