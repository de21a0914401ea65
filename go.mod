module github.com/rollcall-go/rollcall

go 1.25
