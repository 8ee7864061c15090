package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"purofs/engine"
)

// An environment is what every command gets from the process.
type environment struct {
	in       io.Reader
	out      *os.File
	err      *os.File
	logLevel string // as given on the command line, empty for the command's default
}

// logger returns a logger that writes to w: readable lines on a terminal, JSON otherwise.
func (e *environment) logger(w io.Writer, byDefault zerolog.Level) (zerolog.Logger, error) {
	level, err := parseLogLevel(e.logLevel, byDefault)
	if err != nil {
		return zerolog.Nop(), err
	}
	if isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger(), nil
}

// engineOptions completes options with a logger to standard error for what an operator should know.
func (e *environment) engineOptions(options engine.Options) (engine.Options, error) {
	logger, err := e.logger(e.err, zerolog.WarnLevel)
	options.Logger = &logger
	return options, err
}

// openToRead opens a store for a command that only looks at it.
func (e *environment) openToRead(ctx context.Context, store string) (*engine.Log, error) {
	options, err := e.engineOptions(engine.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	log, err := engine.Open(ctx, store, options)
	return log, hintMissingStore(err)
}

// hintMissingStore tells who only looks at a store that is not there how to get one.
func hintMissingStore(err error) error {
	if errors.Is(err, iofs.ErrNotExist) {
		return fmt.Errorf("%w; check the path: only append and mount make a new store", err)
	}
	return err
}

func parseLogLevel(name string, byDefault zerolog.Level) (zerolog.Level, error) {
	switch name {
	case "":
		return byDefault, nil
	case "off":
		return zerolog.Disabled, nil
	case "trace", "debug", "info", "warn", "error":
		return zerolog.ParseLevel(name)
	}
	return zerolog.NoLevel, usageErrorf(
		"unknown log level %.32q (use trace, debug, info, warn, error or off)", name)
}

// isTerminal tells whether a person is looking at w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// arguments makes cobra ask for exactly the arguments named. None of them may be empty: as a path
// that would be the directory of the process, which nobody means whose variable is not set.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			if i := slices.Index(args, ""); i >= 0 {
				return usageErrorf("%s of %s is empty; see: %s --help",
					names[i], cmd.Name(), cmd.CommandPath())
			}
			return nil
		}
		wanted := "no argument"
		if len(names) > 0 {
			wanted = strings.Join(names, " and ")
		}
		return usageErrorf("%s needs %s, got %s; see: %s --help",
			cmd.Name(), wanted, countArguments(len(args)), cmd.CommandPath())
	}
}

func countArguments(n int) string {
	switch n {
	case 0:
		return "no argument"
	case 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}
