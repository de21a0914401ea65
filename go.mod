module github.com/rollcall-go/rollcall

go 1.25.0

require (
	github.com/cenkalti/backoff/v4 v4.3.0
	github.com/klauspost/compress v1.20.3
	github.com/pierrec/lz4/v4 v4.1.33
	go.uber.org/zap v1.28.0
	golang.org/x/sync v0.20.0
	google.golang.org/protobuf v1.36.12
)

require go.uber.org/multierr v1.10.0 // indirect
