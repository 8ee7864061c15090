package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"purofs/engine"
)

func TestParseMountOptions(t *testing.T) {
	tests := []struct {
		name  string
		lists []string
		want  mountOptions
	}{
		{"none", nil, mountOptions{}},
		{"empty", []string{""}, mountOptions{}},
		{"stray commas", []string{",,ro,"}, readOnlyOptions()},
		{"sync", []string{"sync=none"}, mountOptions{engine: engine.Options{Sync: engine.SyncNone}}},
		{"sync of mount(8)", []string{"sync"},
			mountOptions{engine: engine.Options{Sync: engine.SyncAlways}}},
		{"async of mount(8)", []string{"async"}, mountOptions{}},
		{"bytes", []string{"segment_size=65536"},
			mountOptions{engine: engine.Options{SegmentBytes: 64 << 10}}},
		{"small k", []string{"segment_size=64k"},
			mountOptions{engine: engine.Options{SegmentBytes: 64 << 10}}},
		{"capital M", []string{"segment_size=64M"},
			mountOptions{engine: engine.Options{SegmentBytes: 64 << 20}}},
		{"G", []string{"segment_size=2G"}, mountOptions{engine: engine.Options{SegmentBytes: 2 << 30}}},
		{"largest segment", []string{"segment_size=1T"},
			mountOptions{engine: engine.Options{SegmentBytes: 1 << 40}}},
		{"max_record", []string{"max_record=1"}, mountOptions{engine: engine.Options{ValueBytes: 1}}},
		{"lock_timeout", []string{"lock_timeout=1m30s"},
			mountOptions{engine: engine.Options{LockTimeout: 90 * time.Second}}},
		{"flags", []string{"auto_create,allow_delete,allow_other"},
			mountOptions{autoCreate: true, allowDelete: true, allowOther: true}},
		{"several -o", []string{"auto_create", "ro"}, func() mountOptions {
			o := readOnlyOptions()
			o.autoCreate = true
			return o
		}()},
		{"the last counts", []string{"ro,sync=flip", "rw,sync=none"},
			mountOptions{engine: engine.Options{Sync: engine.SyncNone}}},
		{"what mount(8) passes on", []string{"rw,dev,suid,noexec,relatime,_netdev,user=joe,nofail," +
			"x-systemd.automount,x-gvfs-hide,X-mount.mkdir=0755,comment=mine"}, mountOptions{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseMountOptions(test.lists)
			if err != nil {
				t.Fatalf("parseMountOptions(%q): %v", test.lists, err)
			}
			if got != test.want {
				t.Errorf("parseMountOptions(%q) = %+v, want %+v", test.lists, got, test.want)
			}
		})
	}
}

func readOnlyOptions() mountOptions {
	return mountOptions{readOnly: true, engine: engine.Options{ReadOnly: true}}
}

func TestParseMountOptionsRefuses(t *testing.T) {
	tests := []struct {
		name, list string
		says       string // part of the message
		is         error  // nil if it need not match any
	}{
		{"unknown", "snyc=always", `unknown option "snyc=always" (use sync=MODE, segment_size=SIZE`, nil},
		{"case counts", "RO", `unknown option "RO"`, nil},
		{"generic with a value", "noexec=1", `unknown option "noexec=1"`, nil},
		{"generic without one", "fsname", `unknown option "fsname"`, nil},
		{"no name", "=1", `unknown option "=1"`, nil},
		{"value of a flag", "ro=1", "option ro takes no value", nil},
		{"no value", "segment_size", "segment_size needs a value: segment_size=SIZE", nil},
		{"unknown sync", "sync=sometimes", "none, interval, always or flip", engine.ErrOption},
		{"no size", "segment_size=", "not a size", nil},
		{"zero size", "segment_size=0", "not a size", nil},
		{"negative size", "segment_size=-1M", "not a size", nil},
		{"fraction", "segment_size=1.5M", "not a size", nil},
		{"suffix only", "segment_size=M", "not a size", nil},
		{"two suffixes", "segment_size=1kM", "not a size", nil},
		{"overflow", "segment_size=9223372036854775808", "not a size", nil},
		{"overflow by suffix", "segment_size=8388608T", "not a size", nil},
		{"small segment", "segment_size=1k", "64 KiB to 1 TiB", engine.ErrOption},
		{"large segment", "segment_size=2T", "64 KiB to 1 TiB", engine.ErrOption},
		{"large record", "max_record=64M", "1 byte to 32 MiB", engine.ErrOption},
		{"record beyond 32 bits", "max_record=4T", "1 byte to 32 MiB", engine.ErrOption},
		{"no unit", "lock_timeout=5", "not a time", nil},
		{"no wait", "lock_timeout=0s", "not a time", nil},
		{"negative wait", "lock_timeout=-1s", "1 ms to 1 h", engine.ErrOption},
		{"long wait", "lock_timeout=2h", "1 ms to 1 h", engine.ErrOption},
		{"good and bad", "ro,bad", `unknown option "bad"`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseMountOptions([]string{test.list})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("parseMountOptions(%q): error %v, want one with %q", test.list, err, test.says)
			}
			if _, ok := errors.AsType[*usageError](err); !ok {
				t.Errorf("parseMountOptions(%q): %v is not a usage error", test.list, err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("parseMountOptions(%q): %v does not match %v", test.list, err, test.is)
			}
		})
	}
}

func TestStoreOptionsLackThoseOfTheTree(t *testing.T) {
	for _, list := range []string{"ro", "auto_create", "allow_other", "allow_delete"} {
		if _, err := parseStoreOptions([]string{list}); err == nil {
			t.Errorf("parseStoreOptions(%q) succeeded", list)
		}
	}
	options, err := parseStoreOptions([]string{"sync=always,max_record=1k"})
	want := engine.Options{Sync: engine.SyncAlways, ValueBytes: 1 << 10}
	if err != nil || options != want {
		t.Errorf("parseStoreOptions = %+v, %v, want %+v", options, err, want)
	}
}

// Whatever is accepted is within the engine's bounds, and it makes no difference how a list is cut
// into several -o.
func FuzzMountOptions(f *testing.F) {
	for _, seed := range []string{
		"", "ro", "rw,ro", "sync=always,segment_size=64M", "max_record=32M,lock_timeout=5s",
		"auto_create,allow_other,allow_delete", "sync", "x-systemd.automount,user=joe", "sync=",
		"segment_size=16777215T", "lock_timeout=9999999h", ",=,", "segment_size=\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		options, err := parseMountOptions([]string{list})
		cut, cutErr := parseMountOptions(strings.Split(list, ","))
		if (err == nil) != (cutErr == nil) || options != cut {
			t.Fatalf("%q: together %+v, %v; one by one %+v, %v", list, options, err, cut, cutErr)
		}
		if err != nil {
			return
		}
		if err := options.engine.Validate(); err != nil {
			t.Errorf("%q was accepted as %+v: %v", list, options, err)
		}
		if options.engine.ReadOnly != options.readOnly {
			t.Errorf("%q: the tree and the engine disagree on ro: %+v", list, options)
		}
	})
}
