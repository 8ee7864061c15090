package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"purofs/engine"
)

// mountOptions are the options of a mount, as -o gives them.
type mountOptions struct {
	engine      engine.Options
	allowOther  bool
	autoCreate  bool
	allowDelete bool
	noLive      bool
	readOnly    bool
}

// A mountOption is one option that -o knows. Options with a value have a placeholder for it.
type mountOption struct {
	name  string
	value string
	help  string
	set   func(o *mountOptions, value string) error
}

// storeOptions are those that concern the store, mounted or not.
var storeOptions = []mountOption{
	{"sync", "MODE", "when records reach the disk: none, interval (each second, the default),\n" +
		"always (before an append returns) or flip (the same on any file system)", setSync},
	{"segment_size", "SIZE", "size at which a new segment is started (256M)", setSegmentSize},
	{"max_record", "SIZE", "the largest value a record may have (10M)", setMaxRecord},
	{"lock_timeout", "TIME", "longest wait for another process that holds the store's lock (5s)",
		setLockTimeout},
}

// viewOptions are those that concern the mounted tree.
var viewOptions = []mountOption{
	{"auto_create", "", "a topic is made by its first use, without mkdir", flag(
		func(o *mountOptions) { o.autoCreate = true })},
	{"allow_delete", "", "rmdir removes a topic with its records", flag(
		func(o *mountOptions) { o.allowDelete = true })},
	{"allow_other", "", "other users may enter, as the modes of the topics allow", flag(
		func(o *mountOptions) { o.allowOther = true })},
	{"nolive", "", "listings leave out the files that wait, so that grep -r and cp -r end", flag(
		func(o *mountOptions) { o.noLive = true })},
	{"ro", "", "read only", flag(func(o *mountOptions) { o.readOnly = true })},
	{"rw", "", "read and write (the default)", flag(func(o *mountOptions) { o.readOnly = false })},
}

// genericOptions are what mount(8), fstab and systemd add for their own use, or pass to every file
// system. They are accepted and change nothing: a purofs mount never runs programs, never honours
// set-user-ID bits or devices, and has no access times.
var genericOptions = strings.Fields(`
	defaults auto noauto nofail user nouser users nousers owner noowner group nogroup _netdev
	dev nodev suid nosuid exec noexec async dirsync
	atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime
	lazytime nolazytime silent loud iversion noiversion mand nomand
	default_permissions comment user= fsname= subtype= comment=`)

// parseMountOptions reads the values of all -o flags, each a list of options separated by commas.
// Of options that exclude each other the last counts. An error names the option, what is wrong with
// it, and what it may be.
func parseMountOptions(lists []string) (mountOptions, error) {
	return parseOptions(lists, slices.Concat(storeOptions, viewOptions))
}

// parseStoreOptions is parseMountOptions for commands that work without a mount.
func parseStoreOptions(lists []string) (engine.Options, error) {
	options, err := parseOptions(lists, storeOptions)
	return options.engine, err
}

func parseOptions(lists []string, known []mountOption) (mountOptions, error) {
	var options mountOptions
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if err := options.set(item, known); err != nil {
				return mountOptions{}, err
			}
		}
	}
	options.engine.ReadOnly = options.readOnly
	return options, nil
}

// set applies one option, "name" or "name=value".
func (o *mountOptions) set(item string, known []mountOption) error {
	name, value, hasValue := strings.Cut(item, "=")
	if item == "sync" {
		// The generic mount option for synchronous writes means just that.
		value, hasValue = engine.SyncAlways.String(), true
	}
	for _, option := range known {
		if option.name != name {
			continue
		}
		switch {
		case hasValue && option.value == "":
			return usageErrorf("option %s takes no value, got %.64q", name, item)
		case !hasValue && option.value != "":
			return usageErrorf("option %s needs a value: %s=%s", name, name, option.value)
		}
		if err := option.set(o, value); err != nil {
			return usageErrorf("option %.64q: %w", item, err)
		}
		return nil
	}
	if isGenericOption(name, hasValue) {
		return nil
	}
	return usageErrorf("unknown option %.64q (use %s)", item, optionNames(known))
}

func isGenericOption(name string, hasValue bool) bool {
	if name == "" && !hasValue || strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-") {
		return true
	}
	if hasValue {
		name += "="
	}
	for _, generic := range genericOptions {
		if generic == name {
			return true
		}
	}
	return false
}

// optionNames lists options in one line, for errors.
func optionNames(known []mountOption) string {
	names := make([]string, len(known))
	for i, option := range known {
		names[i] = option.spelling()
	}
	return strings.Join(names, ", ")
}

// optionHelp lists options with their meanings, for the help of a command.
func optionHelp(known []mountOption) string {
	var text strings.Builder
	for _, option := range known {
		help := strings.ReplaceAll(option.help, "\n", "\n"+strings.Repeat(" ", 21))
		fmt.Fprintf(&text, "  %-18s %s\n", option.spelling(), help)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

func (o mountOption) spelling() string {
	if o.value == "" {
		return o.name
	}
	return o.name + "=" + o.value
}

func flag(set func(*mountOptions)) func(*mountOptions, string) error {
	return func(o *mountOptions, _ string) error {
		set(o)
		return nil
	}
}

func setSync(o *mountOptions, value string) (err error) {
	o.engine.Sync, err = engine.ParseSyncMode(value)
	return err
}

func setSegmentSize(o *mountOptions, value string) (err error) {
	if o.engine.SegmentBytes, err = parseSize(value); err != nil {
		return err
	}
	return engine.Options{SegmentBytes: o.engine.SegmentBytes}.Validate()
}

func setMaxRecord(o *mountOptions, value string) error {
	size, err := parseSize(value)
	if err != nil {
		return err
	}
	// What no int holds is out of bounds all the same: the engine says which they are.
	o.engine.ValueBytes = int(min(size, math.MaxInt32))
	return engine.Options{ValueBytes: o.engine.ValueBytes}.Validate()
}

func setLockTimeout(o *mountOptions, value string) error {
	timeout, err := time.ParseDuration(value)
	if err != nil || timeout == 0 {
		return errors.New("not a time (use a number and a unit, like 500ms, 5s or 1m)")
	}
	o.engine.LockTimeout = timeout
	return engine.Options{LockTimeout: timeout}.Validate()
}

// parseSize reads a positive number of bytes with an optional suffix k, M, G or T, powers of 1024.
func parseSize(s string) (int64, error) {
	digits, shift := s, 0
	if s != "" {
		if unit := strings.IndexByte("kmgt", s[len(s)-1]|0x20); unit >= 0 {
			digits, shift = s[:len(s)-1], 10*(unit+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63-shift)
	if err != nil || n == 0 {
		return 0, errors.New("not a size (use a number of bytes, or one with k, M, G or T, like 64M)")
	}
	return int64(n) << shift, nil
}
