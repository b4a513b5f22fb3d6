/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small test harness: TEST(name) { ... } and TEST_MAIN().
 *
 * Each test runs in a process of its own with a time limit, so that a crash or
 * a hang is one failure and what a test leaves open is closed. One line a
 * test, "ok - name", "not ok - name" or "ok - name # SKIP why"; run.sh counts.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct test {
	const char *name;
	void (*run)(void);
	unsigned int seconds;
	struct test *next;
};

void harness_add(struct test *test);
/* HARNESS_PATIENCE: how many times longer than usual things may take here */
unsigned int harness_patience(void);
int harness_main(int argc, char **argv);
void harness_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void harness_stop(void);
_Noreturn void harness_skip(const char *why);

/* Ends the process unless it is done after @seconds */
#define TEST_FOR(name, limit)									\
	static void run_##name(void);							\
	static struct test test_##name = { #name, run_##name, limit, 0 };				\
	__attribute__((constructor)) static void add_##name(void) { harness_add(&test_##name); }\
	static void run_##name(void)

#define TEST(name) TEST_FOR(name, 60)

#define TEST_MAIN()										\
	int main(int argc, char **argv) { return harness_main(argc, argv); }

#define EXPECT_(holds, stop, ...)								\
	do {											\
		if (!(holds)) {									\
			harness_fail(__FILE__, __LINE__, __VA_ARGS__);				\
			if (stop)								\
				harness_stop();							\
		}										\
	} while (0)

/* Goes on after a failure */
#define EXPECT(condition) EXPECT_(condition, false, "%s", #condition)
/* Does not */
#define ASSERT(condition) EXPECT_(condition, true, "%s: errno %d", #condition, errno)

#define EXPECT_EQ(got, want)									\
	do {											\
		long long got_ = (long long)(got), want_ = (long long)(want);			\
		EXPECT_(got_ == want_, false, "%s is %lld (0x%llx), not %s, which is %lld (0x%llx)", \
			#got, got_, (unsigned long long)got_, #want, want_,			\
			(unsigned long long)want_);						\
	} while (0)

/* A call that returns -1, and why */
#define EXPECT_ERROR(call, error)								\
	do {											\
		long result_ = (long)(call);							\
		int errno_ = errno;								\
		EXPECT_(result_ == -1 && errno_ == (error), false, "%s: %ld, %s instead of %s",	\
			#call, result_, result_ == -1 ? harness_errno(errno_) : "no error",	\
			#error);								\
	} while (0)

#define EXPECT_OK(call)										\
	do {											\
		long result_ = (long)(call);							\
		int errno_ = errno;								\
		EXPECT_(result_ >= 0, false, "%s: %s", #call, harness_errno(errno_));		\
	} while (0)

const char *harness_errno(int error);

#endif /* HARNESS_H */
