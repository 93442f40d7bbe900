/* Waiting for input on several descriptors, and the eventfd by which another thread ends the wait. */
#include "addon.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_DESCRIPTORS 1024

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static napi_value wait_for_input(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	int32_t *descriptors = argument_array(&arguments, 0).data;
	int count = argument_integer(&arguments, 1);
	int timeout_ms = argument_integer(&arguments, 2);
	int64_t spin_ns = (int64_t)argument_integer(&arguments, 3) * 1000;
	struct pollfd polled[MAX_DESCRIPTORS];
	if (descriptors == NULL || count < 0 || count > MAX_DESCRIPTORS) return throw_errno(env, "wait", "poll", EINVAL);
	for (int i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = descriptors[2 * i], .events = POLLIN};
	int found = 0;
	if (timeout_ms > 0 && spin_ns > 0) {
		int64_t deadline = now_ns() + spin_ns;
		do found = poll(polled, (nfds_t)count, 0);
		while (found == 0 && now_ns() < deadline);
	}
	if (found == 0) found = poll(polled, (nfds_t)count, timeout_ms);
	if (found < 0) {
		last_error = errno;
		found = 0;
		for (int i = 0; i < count; i++) polled[i].revents = 0;
	}
	for (int i = 0; i < count; i++) {
		descriptors[2 * i + 1] = polled[i].revents != 0;
		/* A socket whose device went down stays readable until its error has been fetched. */
		if (polled[i].revents & POLLERR) {
			int error;
			getsockopt(polled[i].fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
		}
	}
	return integer_value(env, found);
}

static napi_value preemptions(napi_env env, napi_callback_info info)
{
	(void)info;
	struct rusage usage = {.ru_nivcsw = 0};
	getrusage(RUSAGE_THREAD, &usage);
	napi_value result;
	napi_create_int64(env, usage.ru_nivcsw, &result);
	return result;
}

static napi_value event_open(napi_env env, napi_callback_info info)
{
	(void)info;
	int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (descriptor < 0) return throw_errno(env, "eventOpen", "eventfd", errno);
	return integer_value(env, descriptor);
}

/* A full or an empty eventfd is no error: the other side is signalled, or has nothing to be told. */
static napi_value event_signal(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	if (write(argument_integer(&arguments, 0), &(uint64_t){1}, sizeof(uint64_t)) < 0 && errno != EAGAIN)
		return throw_errno(env, "eventSignal", "write", errno);
	return undefined_value(env);
}

static napi_value event_drain(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	uint64_t value;
	if (read(argument_integer(&arguments, 0), &value, sizeof value) < 0 && errno != EAGAIN)
		return throw_errno(env, "eventDrain", "read", errno);
	return undefined_value(env);
}

static napi_value close_descriptor(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	if (close(argument_integer(&arguments, 0)) < 0) return throw_errno(env, "closeDescriptor", "close", errno);
	return undefined_value(env);
}

static const struct function_entry functions[] = {
	{"wait", wait_for_input},	  {"eventOpen", event_open},
	{"eventSignal", event_signal},	  {"eventDrain", event_drain},
	{"closeDescriptor", close_descriptor}, {"preemptions", preemptions},
};

void wait_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
