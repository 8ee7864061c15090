package campaign_test

import (
	"fmt"
	"testing"
	"time"

	"purofs/engine"
	"purofs/engine/oracle"
)

// killsOfAStore is how many kills a store sees before a test goes on with a new one.
const killsOfAStore = 240

// T3: producers are killed 1 to 50 ms after they began, or after they were started, so that it hits
// them while they open the store too. A bystander, which has the log open all the time, appends
// right after each kill: how long that takes is how long the dead hold up the living.
func TestRandomKills(t *testing.T) {
	kills := oracle.Size(1_000, 20_000)
	c := newCrew(t, "T3")
	c.plan.RecordsMax, c.plan.BytesMax = 4, 200<<10
	c.plan.Topics = []string{oracle.TopicDefault, "rare"}
	var takeovers []time.Duration
	for len(takeovers) < kills {
		c.newStore()
		l := c.open()
		for n := 0; n < killsOfAStore && len(takeovers) < kills; n += killedTogether {
			takeovers = append(takeovers, c.killSome(l, n)...)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if report := c.check("alive"); report.Acknowledged < killsOfAStore {
			t.Errorf("only %d records were acknowledged: the kills come too early to say much",
				report.Acknowledged)
		}
		t.Logf("%d kills", len(takeovers))
	}
	c.run.Count("kills", len(takeovers))
	c.publish("takeover", takeovers)
}

// killedTogether is how many producers are at work when one is killed, at most.
const killedTogether = 3

// killSome starts producers and kills them one after the other.
func (c *crew) killSome(l *engine.Log, n int) (takeovers []time.Duration) {
	c.Helper()
	var crowd []*oracle.Process
	early := c.run.Rand.IntN(4) == 0
	for i := range killedTogether {
		p := oracle.Launch(c, c.job(fmt.Sprintf("p%d", n+i), 1+i, 0))
		crowd = append(crowd, p)
		if !early {
			p.Ready()
		}
	}
	for _, p := range crowd {
		p.Begin()
	}
	for _, p := range crowd {
		// Not a wait for anything: the kill shall come at a random moment.
		time.Sleep(time.Millisecond + time.Duration(c.run.Rand.IntN(49_000))*time.Microsecond)
		p.Kill()
		takeovers = append(takeovers, c.appendOne(l, "alive"))
	}
	return takeovers
}
