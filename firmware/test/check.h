/* The smallest test frame: say where, what was expected and what came; count; go on. */
#ifndef WL_CHECK_H
#define WL_CHECK_H

#include <stdio.h>

static int n_checks, n_failures;

#define CHECK_EQUAL(what, expected, got) check_equal(__FILE__, __LINE__, what, (long long)(expected), (long long)(got))

static void check_equal(const char *file, int line, const char *what, long long expected, long long got)
{
    n_checks++;
    if (expected == got)
        return;
    if (++n_failures <= 10)
        fprintf(stderr, "%s:%d: %s: expected %lld, got %lld\n", file, line, what, expected, got);
}

/** For main to return. */
static int checks_done(const char *name)
{
    printf("%s: %d checks, %d failures\n", name, n_checks, n_failures);
    return n_failures != 0 || n_checks == 0;
}

#endif
