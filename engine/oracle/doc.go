// Package oracle tells whether a log kept its promises through a fault. Every test of the fault
// campaign asks it, whatever the fault is and whether the records went in through the library or
// through a mount; docs/testing.md lists the tests.
//
// A Plan says what a producer writes: each record is a function of a seed, the producer and a
// number, so that one that was written can be told from one that never was. A Producer writes them,
// and keeps a ledger in a file outside of the store: the intent before an append, and what came of
// it after. Then comes the fault. Check reads the store with a fresh engine, compares it with the
// ledgers, and reports what must not be:
//
//	L  a record that was acknowledged is lost
//	T  a record is torn or altered
//	D  a record is there twice
//	O  records of a producer are out of order, or a consumer saw another order than the log has
//	P  a record is there that nobody intended, or whose append was refused
//	B  a part of an append is there, or stands between records of others
//	V  the store is damaged, or still torn after an append has repaired it
//	A  nothing can be appended, or it cannot be read back
//
// An append that was neither acknowledged nor refused may be there or not, as a whole.
//
// CheckCursor and CheckSeeks look at what stands beside the log: where a cursor stands, compared
// with its CursorBook, and what readers find that go by the topic indexes.
//
// What is to be tested is the file system's and the kernel's work too, so the parts can run as
// processes of their own: Launch starts a test binary, whose TestMain calls RunJob, as a producer,
// a consumer, or the fresh reader that checks. RunKept sees to it that tests which mount leave
// nothing behind, even if they are killed.
package oracle
