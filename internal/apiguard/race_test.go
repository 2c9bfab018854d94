//go:build race

package apiguard_test

const raceEnabled = true
