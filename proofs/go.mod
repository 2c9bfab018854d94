module github.com/tandemgo/tandem/proofs

go 1.26.0

replace github.com/tandemgo/tandem => ../

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/tandemgo/tandem v0.0.0
	pgregory.net/rapid v1.3.0
)

require (
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e // indirect
)
