// Package peers adapts each library to the works of package work: one file for each
// library, which adds it to the comparison when the program starts.
package peers
