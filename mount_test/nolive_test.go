package mount_test

import "testing"

// With nolive, tools that read all they find come to an end; without it, they would wait for ever
// at the first stream. What waits is still there for who names it.
func TestWalksEndWithoutLiveFiles(t *testing.T) {
	t.Parallel()
	m := mountStore(t, "nolive")
	m.mkdir("t")
	m.mkdir("t/cursors/c")
	put(t, openLog(t, m.store), "t", "fruit", []byte("apple"))
	for _, test := range []struct{ script, want string }{
		{`grep -rs apple t | sort`, "t/keys/fruit:apple\nt/log.jsonl:" +
			`{"offset":0,"time":"T","key":"fruit","value":"apple"}` + "\nt/log.tsv:fruit\tapple\n" +
			"t/log:apple\n"},
		{`find . -path ./.puro -prune -o -type f ! -name 'append*' ! -name info ! -name '*.jsonl' ` +
			`-exec cat {} +`, "apple\nfruit\tapple\napple0\n1\n"}, // position and lag are the last
		{`cp -r . $TMP/copy 2> $TMP/errors || true; grep -v /append $TMP/errors || true; ` +
			`cat $TMP/copy/t/log $TMP/copy/t/keys/fruit`, "apple\napple"},
		{`find t -name 'stream*' -o -name from -o -name next`, ""},
		{`head -n 1 t/stream t/from/start | grep -c apple`, "2\n"},
		{`grep -o nolive .puro/status.json`, "nolive\n"},
	} {
		script := `TMP=$(mktemp -d); trap 'rm -r $TMP' EXIT` + "\n{ " + test.script +
			`; } | sed -E 's/"time":"[^"]*"/"time":"T"/'`
		if got := m.sh(script); got != test.want {
			t.Errorf("%s\nprints %q, want %q", test.script, got, test.want)
		}
	}
}
