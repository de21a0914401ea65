package replicated

import "time"

// Remembered is how many members and claimed checkpoints a Client keeps in mind.
func (c *Client) Remembered() (members, claims int) {
	_ = c.ask(func(o *owner, _ time.Time) { members, claims = o.Scheduler.Remembered() })
	return members, claims
}
