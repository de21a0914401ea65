module github.com/rollcall-go/rollcall

go 1.25.0

require (
	github.com/cenkalti/backoff/v4 v4.3.0
	go.uber.org/zap v1.28.0
	golang.org/x/sync v0.20.0
)

require go.uber.org/multierr v1.10.0 // indirect
