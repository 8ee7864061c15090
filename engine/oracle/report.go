package oracle

import (
	"errors"
	"fmt"
	"strings"
)

// A Rule is a letter of the package comment.
type Rule string

// The rules.
const (
	Lost       Rule = "L"
	Torn       Rule = "T"
	Doubled    Rule = "D"
	Order      Rule = "O"
	Phantom    Rule = "P"
	Block      Rule = "B"
	Verify     Rule = "V"
	Appendable Rule = "A"
)

// A Violation is a promise that was not kept, and what shows it.
type Violation struct {
	Rule Rule   `json:"rule"`
	Text string `json:"text"`
}

// String is the letter and the text.
func (v Violation) String() string { return fmt.Sprintf("%s: %s", v.Rule, v.Text) }

// A Report is what a check found.
type Report struct {
	Producers    int    `json:"producers"`
	Appends      int    `json:"appends"`      // intended
	Acknowledged uint64 `json:"acknowledged"` // records of which it counts
	Unknown      uint64 `json:"unknown"`      // records that are there, though nobody was told
	Records      uint64 `json:"records"`      // that are there
	Bytes        uint64 `json:"bytes"`        // of their keys and values
	Sightings    int    `json:"sightings"`    // notes of consumers that were compared
	Torn         bool   `json:"torn"`         // the log had a torn tail before the check appended

	// Violations has the first ones of each rule, and Total how many there are of each.
	Violations []Violation  `json:"violations,omitempty"`
	Total      map[Rule]int `json:"total,omitempty"`
}

// violationsMax is how many violations of a rule are kept: the first ones tell the most.
const violationsMax = 5

// violated notes a violation.
func (r *Report) violated(rule Rule, format string, args ...any) {
	if r.Total == nil {
		r.Total = make(map[Rule]int)
	}
	if r.Total[rule]++; r.Total[rule] <= violationsMax {
		r.Violations = append(r.Violations, Violation{rule, fmt.Sprintf(format, args...)})
	}
}

// Has tells whether a rule was violated.
func (r *Report) Has(rule Rule) bool { return r.Total[rule] > 0 }

// Err is nil if there is no violation, and otherwise tells of the first ones of each rule.
func (r *Report) Err() error {
	if len(r.Violations) == 0 {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "of %d records that were acknowledged, and %d that are there:",
		r.Acknowledged, r.Records)
	for _, v := range r.Violations {
		fmt.Fprintf(&text, "\n  %v", v)
	}
	for rule, n := range r.Total {
		if n > violationsMax {
			fmt.Fprintf(&text, "\n  %s: %d in all", rule, n)
		}
	}
	return errors.New(text.String())
}
