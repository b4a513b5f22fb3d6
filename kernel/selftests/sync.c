// SPDX-License-Identifier: GPL-2.0-only
/* Accesses that the device answers: what the driver gets, when, and what it gets when the device does not. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "harness.h"

#define REGISTER	0x40
#define SYNC_BOTH	(PCIEM_TRACE_SYNC_READS | PCIEM_TRACE_SYNC_WRITES)

/*
 * Less than the completion timeouts of the tests that use it, which are at their
 * maximum, 10 s, where something else is to end a wait; enough for a busy machine.
 */
#define SOON_NS		4000000000ULL

static struct lab lab;

static void trace_range(struct lab *device, uint64_t offset, uint64_t length, uint32_t flags)
{
	struct pciem_trace_range range = { .offset = offset, .length = length, .flags = flags };

	ASSERT(!ioctl(device->fd, PCIEM_IOC_TRACE_RANGE, &range));
}

static void set_timeout(struct lab *device, uint32_t microseconds)
{
	struct pciem_completion_timeout timeout = { .microseconds = microseconds };

	ASSERT(!ioctl(device->fd, PCIEM_IOC_SET_COMPLETION_TIMEOUT, &timeout));
}

static struct pciem_device_stats stats(struct lab *device)
{
	struct pciem_device_stats stats;

	memset(&stats, 0xff, sizeof(stats));
	ASSERT(!ioctl(device->fd, PCIEM_IOC_DEVICE_STATS, &stats));
	return stats;
}

static int respond(uint64_t seq, uint64_t data, uint32_t status)
{
	struct pciem_response response = { .seq = seq, .data = data, .status = status };

	return write(lab.fd, &response, sizeof(response));
}

static struct lab_spec sync_spec(void)
{
	struct lab_spec spec = lab_plain;

	spec.device = LAB_DEVICE;
	spec.slots = 1024;
	return spec;
}

/* A slow machine is not to make a test fail that is not about time */
static void set_up(uint32_t flags)
{
	struct lab_spec spec = sync_spec();

	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	set_timeout(&lab, 5000000);
	if (flags)
		trace_range(&lab, 0, 0x1000, flags);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static const struct pciem_wide_event *next_request(void)
{
	const struct pciem_wide_event *e;

	do {
		e = lab_wide_event(&lab, 5000);
		ASSERT(e);
	} while (!(e->flags & PCIEM_EVENT_FLAG_SYNC));
	return e;
}

/* The device's side: a thread that answers what has a handler */
static uint64_t (*model)(const struct pciem_wide_event *e);
static pthread_t server;
static volatile bool serving;
static int server_cpu = -1;
static int server_wait_ms = 10;
static bool server_may_be_late;

static void *serve(void *arg)
{
	(void)arg;
	if (server_cpu >= 0)
		pin(server_cpu);
	while (serving) {
		const struct pciem_wide_event *e = lab_wide_event(&lab, server_wait_ms);

		if (!e)
			continue;
		uint64_t data = model(e);

		if (e->flags & PCIEM_EVENT_FLAG_SYNC)
			EXPECT_(respond(e->event.seq, data, 0) == sizeof(struct pciem_response) ||
				(server_may_be_late && errno == ESRCH), false,
				"answer to %lu: errno %d", (long)e->event.seq, errno);
	}
	return NULL;
}

static void serve_start(uint64_t (*with)(const struct pciem_wide_event *e))
{
	model = with;
	serving = true;
	ASSERT(!pthread_create(&server, NULL, serve, NULL));
}

static void serve_end(void)
{
	serving = false;
	pthread_join(server, NULL);
}

/* The driver's side: threads that do one command */
struct job {
	pthread_t thread;
	char command[64];
	struct driver_result result;
	int error;
	uint64_t ns;
	volatile bool done;
};

static void *run_job(void *arg)
{
	struct job *job = arg;
	uint64_t start = lab_now_ns();

	job->error = driver_try(&lab, &job->result, "%s", job->command);
	job->ns = lab_now_ns() - start;
	job->done = true;
	return NULL;
}

static void job_start(struct job *job, const char *command)
{
	memset(job, 0, sizeof(*job));
	strcpy(job->command, command);
	ASSERT(!pthread_create(&job->thread, NULL, run_job, job));
}

static uint64_t job_end(struct job *job)
{
	pthread_join(job->thread, NULL);
	EXPECT_(!job->error, false, "the driver's \"%s\" failed", job->command);
	return job->result.value;
}

/* The same when the device went: the driver may have been unbound before it told the value */
static void job_end_all_ones(struct job *job)
{
	pthread_join(job->thread, NULL);
	if (!job->error)
		EXPECT_EQ(job->result.value, 0xffffffff);
}

TEST(an_answered_read_gives_the_answer)
{
	static const struct {
		const char *command;
		uint64_t offset;
		unsigned int size;
		uint64_t want;
	} rows[] = {
		{ "read8 0 0x41 1", 0x41, 1, 0x88 },
		{ "read16 0 0x42 1", 0x42, 2, 0x7788 },
		{ "read32 0 0x44 1", 0x44, 4, 0x55667788 },
		{ "read64 0 0x48 1", 0x48, 8, 0x1122334455667788 },
	};
	struct job job;

	set_up(PCIEM_TRACE_SYNC_READS);
	memset(lab_map_bar(&lab, 0, 0x1000), 0xa5, 0x1000);
	for (int i = 0; i < 4; i++) {
		job_start(&job, rows[i].command);
		const struct pciem_wide_event *e = next_request();

		EXPECT_EQ(e->event.type, PCIEM_EVENT_MMIO_READ);
		EXPECT_EQ(e->event.size, rows[i].size);
		EXPECT_EQ(e->event.offset, rows[i].offset);
		EXPECT_EQ(e->event.data, 0xa5a5a5a5a5a5a5a5 >> (64 - 8 * rows[i].size));
		EXPECT(e->pid);
		/* The driver waits, however long */
		lab_sleep_ms(20);
		EXPECT(!job.done);
		EXPECT_EQ(respond(e->event.seq, 0x1122334455667788, 0), 24);
		EXPECT_EQ(job_end(&job), rows[i].want);
	}
	EXPECT_EQ(stats(&lab).sync_reads, 4);
	EXPECT_EQ(stats(&lab).sync_timeouts, 0);
	EXPECT_EQ(stats(&lab).events, 4);
}

static uint64_t pending;

static uint64_t clear_on_read(const struct pciem_wide_event *e)
{
	uint64_t value = e->event.offset == REGISTER ? pending : 0;

	pending = 0;
	return value;
}

/* The reference answers a read before the device is asked, so that these cannot work */
TEST(read_to_clear)
{
	set_up(PCIEM_TRACE_SYNC_READS);
	pending = 5;
	serve_start(clear_on_read);
	EXPECT_EQ(driver_run(&lab, "read32 0 0x40 1"), 5);
	EXPECT_EQ(driver_run(&lab, "read32 0 0x40 1"), 0);
	serve_end();
}

static uint64_t fifo;

static uint64_t take(const struct pciem_wide_event *e)
{
	(void)e;
	return fifo++;
}

TEST_FOR(a_FIFO_read_1000_times_in_order, 60)
{
	set_up(PCIEM_TRACE_SYNC_READS);
	/* No wake-up may be missed: nothing else makes the device look */
	server_wait_ms = 100000;
	serve_start(take);
	for (uint64_t i = 0; i < 250; i++) {
		uint64_t value = driver_run(&lab, "read32 0 0x40 1");

		EXPECT_(value == i, true, "read %lu gave %lu", i, value);
	}
	/* In one command too */
	EXPECT_EQ(driver_run(&lab, "read32 0 0x40 750"), 999);
	EXPECT_EQ(stats(&lab).sync_timeouts, 0);
	serving = false;
	driver_run(&lab, "read32 0 0x40 1");
	serve_end();
}

TEST(two_readers_answered_in_reverse_order)
{
	struct job first, second;
	uint64_t seq[2];

	set_up(PCIEM_TRACE_SYNC_READS);
	job_start(&first, "read32 0 0x10 1");
	seq[0] = next_request()->event.seq;
	job_start(&second, "read32 0 0x20 1");
	const struct pciem_wide_event *e = next_request();

	EXPECT_EQ(e->event.offset, 0x20);
	seq[1] = e->event.seq;
	EXPECT_EQ(respond(seq[1], 22, 0), 24);
	EXPECT_EQ(job_end(&second), 22);
	EXPECT(!first.done);
	EXPECT_EQ(respond(seq[0], 11, 0), 24);
	EXPECT_EQ(job_end(&first), 11);
}

TEST(several_answers_in_one_write)
{
	struct pciem_response responses[8] = { 0 };
	struct job jobs[8];

	set_up(PCIEM_TRACE_SYNC_READS);
	for (int i = 0; i < 8; i++) {
		char command[32];

		snprintf(command, sizeof(command), "read32 0 %d 1", i * 4);
		job_start(&jobs[i], command);
		const struct pciem_wide_event *e = next_request();

		EXPECT_EQ(e->event.offset, i * 4);
		responses[7 - i].seq = e->event.seq;
		responses[7 - i].data = 100 + i;
	}
	EXPECT_EQ(write(lab.fd, responses, sizeof(responses)), sizeof(responses));
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(job_end(&jobs[i]), 100 + i);
}

static uint64_t offset_bytes(const struct pciem_wide_event *e)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < e->event.size; i++)
		value |= (uint64_t)(uint8_t)(e->event.offset + i) << (8 * i);
	return value;
}

TEST(memcpy_fromio_of_a_synchronous_range)
{
	uint64_t sum = 0;

	set_up(PCIEM_TRACE_SYNC_READS);
	serve_start(offset_bytes);
	for (uint64_t i = 0x103; i < 0x103 + 0x155; i++)
		sum += (uint8_t)i;
	EXPECT_EQ(driver_run(&lab, "fromio 0 0x103 0x155"), sum);
	serve_end();
}

/*
 * The waiter spins, so the device has to be on another CPU than it. Where that CPU's
 * kernel meanwhile waits for this one to flush its TLB, the device cannot answer before
 * this one has given up: such a read is all ones and counted, and rare.
 */
static void expect_answers_without_sleep(int how)
{
	uint64_t given_up = 0;

	set_up(PCIEM_TRACE_SYNC_READS);
	server_cpu = 1;
	server_may_be_late = true;
	serve_start(take);
	pin(0);
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t value;

		driver_run(&lab, "locked %d", how);
		value = driver_run(&lab, "read32 0 0x40 1");
		if (value == UINT32_MAX)
			EXPECT_EQ(stats(&lab).sync_timeouts, ++given_up);
		else
			EXPECT_EQ(value, i);
	}
	EXPECT_EQ(stats(&lab).sync_timeouts, given_up);
	EXPECT(given_up <= 2);
	serve_end();
}

TEST(a_read_with_interrupts_off)
{
	expect_answers_without_sleep(1);
}

TEST(a_read_in_an_interrupt)
{
	expect_answers_without_sleep(2);
}

static struct pciem_wide_event expect_type(uint32_t type)
{
	const struct pciem_wide_event *e;

	do {
		e = lab_wide_event(&lab, 2000);
		EXPECT_(e, true, "no event of type %u", type);
	} while (e->event.type != type);
	return *e;
}

TEST(an_unanswered_read_is_all_ones_in_time)
{
	struct pciem_set_events events = { .mask = PCIEM_EVENTS_TIMEOUT };
	struct pciem_wide_event read, late;
	struct job job;

	set_up(PCIEM_TRACE_SYNC_READS);
	set_timeout(&lab, 100000);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_EVENTS, &events));
	job_start(&job, "read32 0 0x44 1");
	EXPECT_EQ(job_end(&job), 0xffffffff);
	EXPECT_(job.ns > 100000000 && job.ns < SOON_NS, false, "it took %lu ms", job.ns / 1000000);
	read = expect_type(PCIEM_EVENT_MMIO_READ);
	late = expect_type(PCIEM_EVENT_TIMEOUT);
	EXPECT_EQ(late.extra, read.event.seq);
	EXPECT_EQ(late.event.seq, read.event.seq + 1);
	EXPECT_EQ(late.event.offset, 0x44);
	EXPECT_EQ(late.event.size, 4);
	EXPECT_EQ(late.flags, 0);
	EXPECT_EQ(driver_run(&lab, "read8 0 0x44 1"), 0xff);
	EXPECT_EQ(stats(&lab).sync_timeouts, 2);

	/* Without sleep the parameter bounds it */
	set_timeout(&lab, 10000000);
	driver_run(&lab, "locked 1");
	job_start(&job, "read32 0 0x44 1");
	EXPECT_EQ(job_end(&job), 0xffffffff);
	EXPECT_(job.ns > 90000000 && job.ns < SOON_NS, false, "it took %lu ms", job.ns / 1000000);
	EXPECT_EQ(stats(&lab).sync_timeouts, 3);
}

TEST(the_default_completion_timeout)
{
	struct lab_spec spec = sync_spec();
	struct job job;

	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	trace_range(&lab, 0, 0x1000, PCIEM_TRACE_SYNC_READS);
	job_start(&job, "read32 0 0x44 1");
	EXPECT_EQ(job_end(&job), 0xffffffff);
	EXPECT_(job.ns > 50000000 && job.ns < SOON_NS, false, "it took %lu ms", job.ns / 1000000);
}

TEST(completion_timeouts_have_bounds)
{
	struct pciem_completion_timeout timeout = { .microseconds = 0 };

	lab_build(&lab, &lab_plain);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SET_COMPLETION_TIMEOUT, &timeout), EINVAL);
	timeout.microseconds = PCIEM_COMPLETION_TIMEOUT_MAX + 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SET_COMPLETION_TIMEOUT, &timeout), EINVAL);
	timeout.microseconds = PCIEM_COMPLETION_TIMEOUT_MAX;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_SET_COMPLETION_TIMEOUT, &timeout));
	timeout.reserved = 1;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_SET_COMPLETION_TIMEOUT, &timeout), EINVAL);
}

TEST(an_unsupported_request_is_all_ones)
{
	struct job job;

	set_up(PCIEM_TRACE_SYNC_READS);
	job_start(&job, "read32 0 0x44 1");
	EXPECT_EQ(respond(next_request()->event.seq, 5, 1), 24);
	EXPECT_EQ(job_end(&job), 0xffffffff);
	EXPECT_EQ(stats(&lab).sync_timeouts, 0);
}

/* A device process that answers nothing, and that can be killed */
static pid_t silent_device(uint32_t flags)
{
	struct lab_spec spec = sync_spec();
	int ready[2];
	pid_t child;

	ASSERT(!pipe2(ready, O_CLOEXEC));
	child = fork();
	if (!child) {
		lab_power_on(&lab, &spec);
		set_timeout(&lab, 10000000);
		trace_range(&lab, 0, 0x1000, flags);
		if (write(ready[1], lab.address, sizeof(lab.address)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT(read(ready[0], lab.address, sizeof(lab.address)) == sizeof(lab.address));
	close(ready[0]);
	close(ready[1]);
	driver_wait(&lab);
	return child;
}

static void expect_ended_by_kill(uint32_t flags, const char *command)
{
	struct job job;
	uint64_t start;
	pid_t device;

	driver_load("irq=none");
	device = silent_device(flags);
	job_start(&job, command);
	lab_sleep_ms(200);
	EXPECT(!job.done);
	start = lab_now_ns();
	ASSERT(!kill(device, SIGKILL));
	EXPECT(lab_wait(job.done, 5000));
	EXPECT_(lab_now_ns() - start < SOON_NS, false, "it took %lu ms",
		(lab_now_ns() - start) / 1000000);
	if (flags & PCIEM_TRACE_SYNC_READS)
		job_end_all_ones(&job);
	else
		pthread_join(job.thread, NULL);
	waitpid(device, NULL, 0);
	EXPECT(lab_wait(!lab_exists(&lab), 5000));
}

TEST(the_device_is_killed_while_a_driver_waits)
{
	expect_ended_by_kill(PCIEM_TRACE_SYNC_READS, "read32 0 0x40 100");
}

TEST(the_device_is_killed_while_a_write_waits)
{
	expect_ended_by_kill(PCIEM_TRACE_SYNC_WRITES, "write32 0 0x40 100 1");
}

TEST(the_device_is_closed_while_8_readers_wait)
{
	struct job jobs[8];
	uint64_t start;

	set_up(PCIEM_TRACE_SYNC_READS);
	for (int i = 0; i < 8; i++) {
		job_start(&jobs[i], "read32 0 0x40 1");
		next_request();
	}
	lab_sleep_ms(20);
	start = lab_now_ns();
	lab_power_off(&lab);
	for (int i = 0; i < 8; i++)
		job_end_all_ones(&jobs[i]);
	EXPECT_(lab_now_ns() - start < SOON_NS, false, "it took %lu ms",
		(lab_now_ns() - start) / 1000000);
	EXPECT(lab_wait(module_references("pciem") == 0, 5000));
}

/* Not the device but the driver's process */
TEST(a_killed_reader_waits_no_more)
{
	struct driver_result result;
	uint64_t start;
	pid_t reader;

	set_up(PCIEM_TRACE_SYNC_READS);
	reader = fork();
	if (!reader) {
		driver_try(&lab, &result, "read32 0 0x40 1000");
		_exit(0);
	}
	next_request();
	lab_sleep_ms(20);
	start = lab_now_ns();
	ASSERT(!kill(reader, SIGKILL));
	ASSERT(waitpid(reader, NULL, 0) == reader);
	EXPECT_(lab_now_ns() - start < SOON_NS, false, "it took %lu ms",
		(lab_now_ns() - start) / 1000000);
	EXPECT(stats(&lab).sync_abandoned >= 1);
	EXPECT_EQ(stats(&lab).sync_timeouts, 0);
}

TEST(a_late_response_is_refused)
{
	const struct pciem_wide_event *e;
	struct job job;

	set_up(PCIEM_TRACE_SYNC_READS);
	set_timeout(&lab, 20000);
	job_start(&job, "read32 0 0x40 1");
	e = next_request();
	EXPECT_EQ(job_end(&job), 0xffffffff);
	EXPECT_ERROR(respond(e->event.seq, 1, 0), ESRCH);
	EXPECT_EQ(stats(&lab).late_responses, 1);
	/* And a second answer to what has one */
	set_timeout(&lab, 5000000);
	job_start(&job, "read32 0 0x40 1");
	e = next_request();
	EXPECT_EQ(respond(e->event.seq, 7, 0), 24);
	EXPECT_ERROR(respond(e->event.seq, 8, 0), ESRCH);
	EXPECT_EQ(job_end(&job), 7);
	EXPECT_EQ(stats(&lab).late_responses, 2);
}

TEST(responses_that_make_no_sense)
{
	struct pciem_response responses[3] = { { .seq = 0 }, { .seq = ~0ULL }, { .seq = 12345 } };
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct job job;
	uint64_t seq;

	set_up(PCIEM_TRACE_SYNC_READS);
	job_start(&job, "read32 0 0x40 1");
	seq = next_request()->event.seq;
	EXPECT_ERROR(respond(seq + 1, 0, 0), ESRCH);
	EXPECT_ERROR(respond(seq - 1, 0, 0), ESRCH);
	EXPECT_ERROR(respond(seq + 64, 0, 0), ESRCH);
	EXPECT_ERROR(respond(seq ^ 1ULL << 63, 0, 0), ESRCH);
	EXPECT_ERROR(write(lab.fd, responses, sizeof(responses)), ESRCH);
	EXPECT_ERROR(write(lab.fd, responses, 0), EINVAL);
	EXPECT_ERROR(write(lab.fd, responses, 23), EINVAL);
	EXPECT_ERROR(write(lab.fd, responses, 25), EINVAL);
	EXPECT_ERROR(write(lab.fd, nowhere, 24), EFAULT);
	responses[0].seq = seq;
	responses[0].reserved = 1;
	EXPECT_ERROR(write(lab.fd, responses, 24), EINVAL);
	EXPECT_EQ(stats(&lab).late_responses, 7);
	EXPECT(!job.done);
	/* One among them that does */
	responses[0].seq = 0;
	responses[0].reserved = 0;
	responses[2].seq = seq;
	responses[2].data = 0x77;
	EXPECT_EQ(write(lab.fd, responses, sizeof(responses)), sizeof(responses));
	EXPECT_EQ(job_end(&job), 0x77);
}

TEST(an_old_ring_takes_no_response)
{
	struct pciem_trace_range range = { .length = 0x1000, .flags = PCIEM_TRACE_SYNC_READS };
	struct lab_spec spec = lab_plain;

	lab_power_on(&lab, &spec);
	EXPECT_ERROR(respond(1, 0, 0), EINVAL);
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &range), EINVAL);
	range.flags = PCIEM_TRACE_SYNC_WRITES | PCIEM_TRACE_WRITES;
	EXPECT_ERROR(ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &range), EINVAL);
	range.flags = PCIEM_TRACE_WRITES;
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_TRACE_RANGE, &range));
}

/* Answers to numbers that were never asked, while the driver reads and the device answers */
static volatile bool guessing;

static void *guess(void *arg)
{
	uint64_t state = 88172645463325252ULL + (uintptr_t)arg;

	while (guessing) {
		struct pciem_response responses[32];
		uint64_t near = stats(&lab).events;

		for (int i = 0; i < 32; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			responses[i] = (struct pciem_response){
				.seq = state & 1 ? near + (state >> 8) % 16 : state,
				.data = 0xbad, .status = state >> 1 & 1,
			};
		}
		if (write(lab.fd, responses, sizeof(responses)) < 0 && errno != ESRCH)
			EXPECT_EQ(errno, 0);
	}
	return NULL;
}

TEST_FOR(a_hostile_thread_answers_at_random, 60)
{
	pthread_t hostile;
	struct job jobs[3];

	set_up(SYNC_BOTH);
	set_timeout(&lab, 2000);
	guessing = true;
	ASSERT(!pthread_create(&hostile, NULL, guess, NULL));
	for (int round = 0; round < 20; round++) {
		uint64_t end;

		job_start(&jobs[0], "read32 0 0x40 20");
		job_start(&jobs[1], "write32 0 0x40 20 1");
		job_start(&jobs[2], "fromio 0 0x40 32");
		for (end = 0; end < 3;) {
			const struct pciem_wide_event *e = lab_wide_event(&lab, 1);

			if (e && e->event.seq & 1)
				respond(e->event.seq, 1, 0);
			for (end = 0; end < 3 && jobs[end].done; end++)
				;
		}
		for (int i = 0; i < 3; i++)
			job_end(&jobs[i]);
	}
	guessing = false;
	pthread_join(hostile, NULL);
	EXPECT(stats(&lab).late_responses > 0);
	/* It works as before */
	set_timeout(&lab, 5000000);
	lab_drain(&lab);
	serve_start(take);
	EXPECT_EQ(driver_run(&lab, "read32 0 0x40 1"), 0);
	EXPECT_EQ(driver_run(&lab, "read32 0 0x40 1"), 1);
	serve_end();
}

/* Readers on both CPUs; each gets its own answer, in whatever order they are given */
static void *read_own(void *arg)
{
	uint64_t offset = (uintptr_t)arg * 8;
	long wrong = 0;

	pin((uintptr_t)arg & 1);
	for (int i = 0; i < 100; i++) {
		struct driver_result result;

		if (driver_try(&lab, &result, "read32 0 %#lx 3", offset) || result.value != offset + 1)
			wrong++;
	}
	return (void *)wrong;
}

TEST_FOR(many_readers_at_once, 60)
{
	struct pciem_response waiting[8];
	unsigned int count = 0, answered = 0;
	pthread_t readers[8];

	set_up(PCIEM_TRACE_SYNC_READS);
	for (uintptr_t i = 0; i < 8; i++)
		ASSERT(!pthread_create(&readers[i], NULL, read_own, (void *)i));
	while (answered < 8 * 100 * 3) {
		/* The last of them first, once no more come */
		const struct pciem_wide_event *e = lab_wide_event(&lab, count ? 1 : 5000);

		if (e) {
			waiting[7 - count++] = (struct pciem_response){
				.seq = e->event.seq, .data = e->event.offset + 1,
			};
		}
		if (!e || count == 8) {
			ASSERT(count);
			EXPECT_EQ(write(lab.fd, &waiting[8 - count], count * 24), count * 24);
			answered += count;
			count = 0;
		}
	}
	for (int i = 0; i < 8; i++) {
		void *wrong;

		pthread_join(readers[i], &wrong);
		EXPECT_EQ((long)wrong, 0);
	}
	EXPECT_EQ(stats(&lab).sync_reads, 2400);
	EXPECT_EQ(stats(&lab).sync_timeouts, 0);
	EXPECT_EQ(stats(&lab).late_responses, 0);
}

/* The device's reaction to a command register is in another one before the write ends */
static volatile uint32_t *registers;

static uint64_t square(const struct pciem_wide_event *e)
{
	if (e->event.type == PCIEM_EVENT_MMIO_WRITE) {
		usleep(500);
		registers[0x20 / 4] = e->event.data * e->event.data;
	}
	return 0;
}

static void expect_ordered(uint32_t flags, uint32_t in_memory)
{
	set_up(0);
	trace_range(&lab, 0x10, 4, flags);
	registers = lab_map_bar(&lab, 0, 0x1000);
	serve_start(square);
	for (uint64_t i = 1; i < 50; i++) {
		driver_run(&lab, "write32 0 0x10 1 %lu", i);
		EXPECT_EQ(driver_run(&lab, "read32 0 0x20 1"), i * i);
		EXPECT_EQ(registers[0x10 / 4], in_memory ? i : 0);
	}
	serve_end();
	EXPECT_EQ(stats(&lab).sync_writes, 49);
	EXPECT_EQ(stats(&lab).sync_timeouts, 0);
}

TEST(a_synchronous_write_then_a_read_sees_the_effect)
{
	expect_ordered(PCIEM_TRACE_SYNC_WRITES, 1);
}

TEST(a_stopped_synchronous_write_then_a_read_sees_the_effect)
{
	expect_ordered(PCIEM_TRACE_SYNC_WRITES | PCIEM_TRACE_STOP_WRITES, 0);
}

TEST(an_unanswered_write_ends_in_time)
{
	struct job job;

	set_up(PCIEM_TRACE_SYNC_WRITES);
	set_timeout(&lab, 50000);
	job_start(&job, "write32 0 0x10 1 9");
	job_end(&job);
	EXPECT_(job.ns > 50000000 && job.ns < SOON_NS, false, "it took %lu ms", job.ns / 1000000);
	EXPECT_EQ(stats(&lab).sync_timeouts, 1);
	EXPECT_EQ(((uint32_t *)lab_map_bar(&lab, 0, 0x1000))[4], 9);
}

/* An answer to a read comes after the writes before it were taken */
static uint64_t last_written;

static uint64_t remember(const struct pciem_wide_event *e)
{
	if (e->event.type == PCIEM_EVENT_MMIO_WRITE) {
		usleep(200);
		last_written = e->event.data;
	}
	return last_written;
}

TEST(a_synchronous_read_follows_posted_writes)
{
	set_up(PCIEM_TRACE_WRITES | PCIEM_TRACE_STOP_WRITES | PCIEM_TRACE_SYNC_READS);
	serve_start(remember);
	for (uint64_t i = 1; i < 50; i++) {
		driver_run(&lab, "write32 0 0x10 1 %lu", i);
		EXPECT_EQ(driver_run(&lab, "read32 0 0x10 1"), i);
	}
	serve_end();
}

TEST(an_event_that_is_lost_gives_all_ones)
{
	struct lab_spec spec = sync_spec();

	spec.slots = 256;
	driver_load("irq=none");
	driver_power_on(&lab, &spec);
	trace_range(&lab, 0, 0x1000, PCIEM_TRACE_SYNC_READS | PCIEM_TRACE_WRITES);
	driver_run(&lab, "write32 0 0x10 256 0");
	EXPECT_EQ(driver_run(&lab, "read32 0 0x10 1"), 0xffffffff);
	EXPECT_EQ(stats(&lab).lost, 1);
	EXPECT_EQ(stats(&lab).sync_timeouts, 1);
}

/* The kernel needs what is written to the table, and waits for nobody to read it */
TEST(the_MSIX_table_in_a_synchronous_range)
{
	struct pciem_irq_inject inject = { .vector = 1 };
	struct lab_spec spec = sync_spec();
	unsigned int table = 0;

	spec.msix = 4;
	driver_load("irq=msix");
	lab_build(&lab, &spec);
	lab_register(&lab);
	lab_map_ring(&lab);
	trace_range(&lab, 0, 0x10000, SYNC_BOTH | PCIEM_TRACE_STOP_WRITES);
	lab_start(&lab);
	driver_wait(&lab);
	EXPECT(((uint32_t *)lab_map_bar(&lab, 0, 0x10000))[0x8000 / 4] != 0);
	EXPECT_OK(ioctl(lab.fd, PCIEM_IOC_INJECT_IRQ, &inject));
	EXPECT(lab_wait(driver_state(&lab).irqs[1] == 1, 1000));
	for (const struct pciem_wide_event *e; (e = lab_wide_event(&lab, 0));) {
		EXPECT_(!e->flags, false, "flags %#x at %#lx", e->flags, (long)e->event.offset);
		table += e->event.offset >= 0x8000 && e->event.offset < 0x8040;
	}
	EXPECT(table > 0);
	EXPECT_EQ(stats(&lab).sync_reads, 0);
	EXPECT_EQ(stats(&lab).sync_timeouts, 0);
}

TEST_MAIN()
