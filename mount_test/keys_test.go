package mount_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"purofs/engine"
)

// The newest value of each key is a file, listed, and gone when it is empty.
func TestKeysAreFiles(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	log := openLog(t, m.store)
	for _, record := range []struct{ key, value string }{
		{"coffee", "12 kg"}, {"tea", "3 kg"}, {"milk", "1 l"}, {"", "no key"},
		{"coffee", "11 kg"}, {"tea", ""},
	} {
		put(t, log, "stock", record.key, []byte(record.value))
	}
	for _, test := range []struct{ script, want string }{
		{`ls stock/keys`, "coffee\nmilk\n"},
		{`cat stock/keys/coffee`, "11 kg"},
		{`grep -r kg stock/keys`, "stock/keys/coffee:11 kg\n"},
		{`stat -c '%s %F' stock/keys/*`, "5 regular file\n3 regular file\n"},
		{`test -e stock/keys/tea || echo none`, "none\n"},
		{`stat -c %.9Y stock/keys/coffee stock/records/4 | uniq | wc -l`, "1\n"},
		{`find stock/keys -newer stock/records/2 -type f`, "stock/keys/coffee\n"},
		{`exec 3< stock/keys/milk; cat <&3; cat stock/keys/milk`, "1 l1 l"},
		{`cp -r stock/keys $TMP; cat $TMP/keys/*`, "11 kg1 l"},
		{`python3 -c '
import os
print({name: open("stock/keys/" + name).read() for name in sorted(os.listdir("stock/keys"))})'`,
			"{'coffee': '11 kg', 'milk': '1 l'}\n"},
	} {
		script := `TMP=$(mktemp -d); trap 'rm -r $TMP' EXIT` + "\n" + test.script
		if got := m.sh(script); got != test.want {
			t.Errorf("%s\nprints %q, want %q", test.script, got, test.want)
		}
	}
	// What is open stays what it was.
	reader := m.start(`exec 3< stock/keys/coffee; echo open; read -r; cat <&3; cat stock/keys/coffee`)
	reader.wantLines("open")
	put(t, log, "stock", "coffee", []byte("10 kg"))
	reader.in.Write([]byte("\n"))
	if got := reader.rest(); got != "11 kg10 kg" {
		t.Errorf("the open key, then the new one, are %q", got)
	}
	reader.succeed()
}

// Keys of any bytes have names, each its own, by which their files are found.
func TestKeyNames(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	log := openLog(t, m.store)
	keys := []string{
		".", "..", "/", "a/b", "\x00", "%", "%2F", "%252F", "%2E", "100%", " ", "\n", "-rf", "*", "~",
		"\xff\xfe", "caf\u00e9", strings.Repeat("n", 255), strings.Repeat("n", 1024),
	}
	for _, key := range keys {
		put(t, log, "t", key, []byte("value of "+key))
	}
	entries, err := os.ReadDir(m.path("t/keys"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]bool{}
	for _, entry := range entries {
		values[m.read("t/keys/"+entry.Name())] = true
	}
	for _, key := range keys {
		if !values["value of "+key] {
			t.Errorf("no name in keys/ leads to %.50q", key)
		}
	}
	if len(entries) != len(keys) {
		t.Errorf("%d keys have %d names", len(keys), len(entries))
	}
	if got := m.sh(`getconf NAME_MAX t/keys`); got != "1024\n" {
		t.Errorf("the longest name is said to have %s", got)
	}
}

// Ten thousand keys are listed in full, with sizes, while others come and go.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	m := mountStore(t)
	log := openLog(t, m.store)
	const keys = 10_000
	for i := range keys / 1000 {
		var batch engine.Batch
		for k := range 1000 {
			batch.Add("t", fmt.Appendf(nil, "key %05d", i*1000+k), []byte("12345"))
		}
		if err := log.Append(context.Background(), &batch); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2000 {
			put(t, log, "t", fmt.Sprintf("another %d", i%100), []byte(strings.Repeat("x", i/100%2)))
		}
	}()
	got := m.sh(`ls -f t/keys | grep -c '^key'; ls -f t/keys | grep '^key' | sort | uniq -d`)
	if <-done; got != "10000\n" {
		t.Errorf("ls lists %s keys, want %d, each once", brief(got), keys)
	}
	if got := m.sh(`ls -l t/keys | grep -c ' 5 .* key [0-9]*$'`); got != "10000\n" {
		t.Errorf("ls -l lists %s keys of 5 bytes, want %d", got, keys)
	}
}
