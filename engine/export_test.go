package engine

// SetIndexSpan makes the chunks of the log's topic indexes cover that much of a segment, before
// anything is read.
func SetIndexSpan(l *Log, bytes int64) { l.places.span = bytes }
