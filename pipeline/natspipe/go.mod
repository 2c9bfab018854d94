module github.com/tandemgo/tandem/pipeline/natspipe

go 1.26.0

replace github.com/tandemgo/tandem => ../../

require (
	github.com/nats-io/nats.go v1.55.0
	github.com/tandemgo/tandem v0.0.0
)

require (
	github.com/klauspost/compress v1.20.0 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e // indirect
	golang.org/x/sys v0.48.0 // indirect
)
