package oracle_test

import (
	"testing"

	"purofs/engine/oracle"
)

// The command that a test prints runs it again: at the same size, and for as long as that takes.
func TestAgain(t *testing.T) {
	t.Setenv(oracle.SeedEnv, "42")
	t.Setenv(oracle.ResultsEnv, "")
	for _, tt := range []struct{ torture, want string }{
		{"", "PUROFS_SEED=42 go test -count=1 -run '^TestA$/^b$' ./engine/oracle"},
		{"1", "PUROFS_TORTURE=1 PUROFS_SEED=42 go test -count=1 -timeout 48h -run '^TestA$/^b$' " +
			"./engine/oracle"},
	} {
		t.Run("torture="+tt.torture, func(t *testing.T) {
			t.Setenv(oracle.TortureEnv, tt.torture)
			if got := oracle.Start(t, "T0").AgainOf("TestA/b"); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}
