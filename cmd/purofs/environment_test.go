package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
)

func TestParseLogLevel(t *testing.T) {
	tests := []struct {
		name string
		want zerolog.Level
		ok   bool
	}{
		{"", zerolog.InfoLevel, true}, // the command's default
		{"trace", zerolog.TraceLevel, true},
		{"debug", zerolog.DebugLevel, true},
		{"info", zerolog.InfoLevel, true},
		{"warn", zerolog.WarnLevel, true},
		{"error", zerolog.ErrorLevel, true},
		{"off", zerolog.Disabled, true},
		{"fatal", zerolog.NoLevel, false},
		{"INFO", zerolog.NoLevel, false},
		{"1", zerolog.NoLevel, false},
	}
	for _, test := range tests {
		got, err := parseLogLevel(test.name, zerolog.InfoLevel)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("parseLogLevel(%q) = %v, %v, want %v", test.name, got, err, test.want)
		}
		if _, usage := errors.AsType[*usageError](err); !test.ok && !usage {
			t.Errorf("parseLogLevel(%q): %v is not a usage error", test.name, err)
		}
	}
}

// In a file the log is JSON, one object a line, of the level asked for and above.
func TestLoggerWritesJSON(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	env := &environment{logLevel: "warn"}
	logger, err := env.logger(file, zerolog.InfoLevel)
	if err != nil {
		t.Fatal(err)
	}
	logger.Info().Msg("not this")
	logger.Warn().Str("topic", "a\nb").Msg("this")

	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	var entry struct{ Level, Topic, Message, Time string }
	if err := json.Unmarshal(text, &entry); err != nil {
		t.Fatalf("%q is not one JSON object: %v", text, err)
	}
	if entry.Level != "warn" || entry.Message != "this" || entry.Topic != "a\nb" || entry.Time == "" {
		t.Errorf("logged %+v", entry)
	}
}
