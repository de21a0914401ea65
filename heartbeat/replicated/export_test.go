package replicated

// Remembered is how many members and claimed checkpoints a Client keeps in mind.
func (c *Client) Remembered() (members, claims int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.locals), len(c.claims)
}
