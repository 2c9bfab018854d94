// Package lawguard compares LAWS.md with the tests: each test that it names exists, and
// each test whose name begins with the id of a law, as TestP1 does, is named there under
// that law. Nothing imports it.
package lawguard
