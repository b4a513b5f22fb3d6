// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define STATUS_FAILED	1
#define STATUS_SKIPPED	77

static struct test *tests, **tests_end = &tests;
static bool failed;

unsigned int harness_patience(void)
{
	const char *times = getenv("HARNESS_PATIENCE");

	return times && atoi(times) > 0 ? atoi(times) : 1;
}

void harness_add(struct test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

const char *harness_errno(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}

void harness_fail(const char *file, int line, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	va_list args;

	failed = true;
	printf("# %s:%d: ", base ? base + 1 : file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

_Noreturn void harness_stop(void)
{
	fflush(stdout);
	_exit(STATUS_FAILED);
}

_Noreturn void harness_skip(const char *why)
{
	printf("# skipped: %s\n", why);
	fflush(stdout);
	_exit(STATUS_SKIPPED);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* The exit status of the test's process, or -1 when it had to be killed */
static int run_one(struct test *test)
{
	double end = now() + test->seconds * harness_patience();
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		setpgid(0, 0);
		test->run();
		fflush(stdout);
		_exit(failed ? STATUS_FAILED : 0);
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (now() > end) {
			kill(-child, SIGKILL);
			kill(child, SIGKILL);
			/* One that is stuck in the kernel is left there, and named */
			for (end = now() + 10; now() < end; usleep(10000))
				if (waitpid(child, &status, WNOHANG))
					break;
			printf("# not done after %u s\n", test->seconds * harness_patience());
			return -1;
		}
		usleep(2000);
	}
	/* Processes that the test started */
	kill(-child, SIGKILL);
	if (WIFSIGNALED(status)) {
		printf("# ended by signal %d\n", WTERMSIG(status));
		return STATUS_FAILED;
	}
	return WEXITSTATUS(status);
}

int harness_main(int argc, char **argv)
{
	const char *program = strrchr(argv[0], '/');
	int failures = 0;

	program = program ? program + 1 : argv[0];
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *test = tests; test; test = test->next) {
		double start = now();
		bool wanted = argc < 2;
		char name[96];
		int status;

		for (int i = 1; i < argc; i++)
			wanted |= !strcmp(argv[i], test->name);
		if (!wanted)
			continue;
		snprintf(name, sizeof(name), "%s: %s", program, test->name);
		for (char *c = name; *c; c++)
			if (*c == '_')
				*c = ' ';
		status = run_one(test);
		if (status == STATUS_SKIPPED)
			printf("ok - %s # SKIP\n", name);
		else
			printf("%s - %s (%.2f s)\n", status ? "not ok" : "ok", name, now() - start);
		if (status && status != STATUS_SKIPPED)
			failures++;
	}
	return failures ? 1 : 0;
}
