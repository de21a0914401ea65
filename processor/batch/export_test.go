package batch

const (
	DefaultReads          = defaultReads
	DefaultBatchBytes     = defaultBatchBytes
	DefaultBatchItems     = defaultBatchItems
	DefaultPrefetch       = defaultPrefetch
	DefaultMinPause       = defaultMinPause
	DefaultMaxPause       = defaultMaxPause
	DefaultCommitInterval = defaultCommitInterval
)

// Size returns the bytes that the budget was made with.
func (b *Budget) Size() int64 { return b.size }
