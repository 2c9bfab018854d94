# Prints how many statements of each package are reached, from a profile of go test
# in which blocks occur once for each test program.
NR > 1 {
    statements[$1] = $2
    if ($3 > 0) reached[$1] = 1
}
END {
    for (block in statements) {
        pkg = block
        sub("/[^/]*$", "", pkg)
        all[pkg] += statements[block]
        if (block in reached) covered[pkg] += statements[block]
    }
    for (pkg in all) printf "%5.1f %%  %s\n", 100 * covered[pkg] / all[pkg], pkg
    # Some statements are reached only in one order of goroutines out of many.
    for (pkg in all) if (covered[pkg] < .94 * all[pkg]) exit 1
}
