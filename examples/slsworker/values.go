package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// What flags with a few values take.
var (
	signatures   = map[string]sls.Signature{"v1": sls.V1, "v4": sls.V4}
	places       = map[string]batch.Initial{"fail": {}, "earliest": batch.Earliest(), "latest": batch.Latest()}
	compressions = map[string]sls.Compression{"lz4": sls.LZ4, "zstd": sls.Zstd, "none": sls.None}
	outputs      = map[string]output{"logs": outputLogs, "batches": outputBatches, "none": outputNone}
	levels       = map[string]zapcore.Level{
		"off": silent, "error": zapcore.ErrorLevel, "warn": zapcore.WarnLevel, "info": zapcore.InfoLevel, "debug": zapcore.DebugLevel,
	}
)

// choice sets v to one of a few values.
func choice[T any](v *T, values map[string]T) func(string) error {
	return func(s string) error {
		got, ok := values[s]
		if !ok {
			names := make([]string, 0, len(values))
			for name := range values {
				names = append(names, name)
			}
			slices.Sort(names)
			return fmt.Errorf("it must be one of %s", strings.Join(names, ", "))
		}
		*v = got
		return nil
	}
}

// into sets v to what parse returns.
func into[T any](v *T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		got, err := parse(s)
		if err == nil {
			*v = got
		}
		return err
	}
}

func parseFrom(s string) (batch.Initial, error) {
	switch s {
	case "begin":
		return batch.Earliest(), nil
	case "end":
		return batch.Latest(), nil
	}
	t, err := parseTime(s)
	if err != nil {
		return batch.Initial{}, errors.New("it must be begin, end, a time like 2006-01-02T15:04:05Z, or Unix seconds")
	}
	return batch.At(t), nil
}

// lastSecond is the last one of the year 9999. What is above it are milliseconds by
// mistake.
const lastSecond = 253402300799

func parseTime(s string) (time.Time, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 && n <= lastSecond {
		return time.Unix(n, 0), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Unix() <= 0 {
		return time.Time{}, errors.New("it must be a time like 2006-01-02T15:04:05Z, or Unix seconds")
	}
	return t, nil
}

// parseBytes reads 512K, 64M, 1G, with the powers of 1024, or a plain number.
func parseBytes(s string) (int64, error) {
	digits, shift := s, 0
	for i, suffix := range []string{"K", "M", "G"} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			digits, shift = rest, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, errors.New("it must be a number of bytes, with K, M or G behind it or without")
	}
	return n << shift, nil
}
