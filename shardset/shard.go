package shardset

// Shard is one shard of a group's list, as its log describes it.
type Shard struct {
	ID ID
	// Parents are the shards that this one was split or merged from. In an ordered group
	// the shard waits until they are closed. A parent that is not in the list counts as
	// closed: it has expired.
	Parents []ID
}

// Range returns the shards 0 to n-1 of one log, in order and without parents. It returns
// nil when n is zero or less.
func Range(log string, n int) []Shard {
	if n <= 0 {
		return nil
	}
	shards := make([]Shard, n)
	for i := range shards {
		shards[i].ID = ID{Log: log, Number: i}
	}
	return shards
}
