package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ratios:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	figures, err := parse(in)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "goal\t\tpurofs\tagainst\tratio\tmust be\t")
	for _, g := range goals {
		if line, ok := g.line(figures); ok {
			fmt.Fprintln(w, line)
		}
	}
	return w.Flush()
}

// procs is what the testing package puts behind a name: GOMAXPROCS.
var procs = regexp.MustCompile(`-\d+$`)

// parse reads the output of go test -bench: for each figure its samples, in the order of the runs.
func parse(in io.Reader) (map[value][]float64, error) {
	figures := make(map[value][]float64)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "--- FAIL") {
			return nil, fmt.Errorf("a benchmark failed: %s", lines.Text())
		}
		name, isBenchmark := strings.CutPrefix(lines.Text(), "Benchmark")
		fields := strings.Fields(name)
		if !isBenchmark || len(fields) < 4 {
			continue
		}
		name = procs.ReplaceAllString(fields[0], "")
		for i := 2; i+1 < len(fields); i += 2 {
			f, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			v := value{name, fields[i+1]}
			figures[v] = append(figures[v], f)
		}
	}
	return figures, lines.Err()
}

// line is a goal's line of the table. It reports false if its benchmarks did not run.
func (g goal) line(figures map[value][]float64) (string, bool) {
	own := figures[g.figure]
	result, against, ratio := own, "", ""
	if g.against != (value{}) {
		other := figures[g.against]
		result = ratios(own, other)
		if len(result) > 0 {
			against, ratio = number(median(other)), number(median(result))
		}
	}
	if len(result) == 0 {
		return "", false
	}
	sign := ">="
	if g.atMost {
		sign = "<="
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s %s\t%s", g.id, g.text, number(median(own)), against,
		ratio, sign, number(g.bound), g.verdict(median(result))), true
}

// verdict says whether the goal is reached, and otherwise how much is missing.
func (g goal) verdict(result float64) string {
	switch {
	case g.atMost && result <= g.bound, !g.atMost && result >= g.bound:
		return "reached"
	case g.bound == 0:
		return "over by " + number(result)
	case g.atMost:
		return fmt.Sprintf("over by %.0f %%", 100*(result/g.bound-1))
	}
	return fmt.Sprintf("short by %.0f %%", 100*(1-result/g.bound))
}

// ratios divides sample by sample, so that the two sides of each ratio are of one run.
func ratios(a, b []float64) []float64 {
	r := make([]float64, min(len(a), len(b)))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	return r
}

// median is the middle of the samples; it does not change them.
func median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// number is a figure with as many digits as mean something.
func number(f float64) string {
	switch {
	case f >= 1e6:
		return fmt.Sprintf("%.2f M", f/1e6)
	case f >= 1e4:
		return fmt.Sprintf("%.0f k", f/1e3)
	case f >= 100 || f == float64(int(f)):
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3g", f)
}
