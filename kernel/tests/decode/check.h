/* SPDX-License-Identifier: GPL-2.0-only */
/* One line a check, counted by run.sh: "ok - name" or "not ok - name". */
#ifndef CHECK_H
#define CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int check_failures;

__attribute__((format(printf, 2, 3))) static inline bool check(bool holds, const char *format, ...)
{
	va_list args;

	printf(holds ? "ok - " : "not ok - ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	if (!holds)
		check_failures++;
	return holds;
}

static inline int check_exit(void)
{
	return check_failures ? 1 : 0;
}

#endif /* CHECK_H */
