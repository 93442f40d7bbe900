/* Runs a helper program to its end, in a thread of Node's pool. Node's own way forks, which copies the page tables of a process of
 * many megabytes and makes it fault for every page that it touches afterwards: here the child shares the memory until it runs
 * the program (posix_spawn(3)). */
#include "addon.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_OCTETS 65536

extern char **environ;

struct text {
	char *data;
	size_t octets, room;
};

struct helper {
	napi_async_work work;
	napi_deferred deferred;
	/* The words of the command line, one behind the other with a NUL each, and what lists them. */
	char *words;
	char **list;
	struct text input;
	int descriptor; /* what the program reads from, or -1: `input` */
	int timeout_ms;
	/* Exit status, -errno when it could not be started, or KILLED. */
	int status;
	struct text output[2];
};

enum { KILLED = 128 };

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void close_end(int *descriptor)
{
	if (*descriptor >= 0) close(*descriptor);
	*descriptor = -1;
}

/* Whether the end of the stream is reached, or no memory is left for it. */
static bool read_some(int descriptor, struct text *into)
{
	if (into->room - into->octets < READ_OCTETS) {
		size_t room = 2 * into->room + READ_OCTETS;
		char *data = realloc(into->data, room);
		if (data == NULL) return true;
		into->data = data;
		into->room = room;
	}
	ssize_t octets = read(descriptor, into->data + into->octets, READ_OCTETS);
	if (octets > 0) into->octets += (size_t)octets;
	return octets == 0 || (octets < 0 && errno != EINTR && errno != EAGAIN);
}

/* Whether nothing is left to be written, or nobody reads it. */
static bool write_some(int descriptor, const struct text *from, size_t *written)
{
	ssize_t octets = write(descriptor, from->data + *written, from->octets - *written);
	if (octets > 0) *written += (size_t)octets;
	return *written == from->octets || (octets < 0 && errno != EINTR && errno != EAGAIN);
}

/* Gives it its input and takes its output until both streams have ended; false when that took too long. */
static bool converse(struct helper *helper, int *input, const int output[2])
{
	int64_t deadline = now_ms() + helper->timeout_ms;
	size_t written = 0;
	struct pollfd polled[3] = {
		{.fd = *input, .events = POLLOUT}, {.fd = output[0], .events = POLLIN}, {.fd = output[1], .events = POLLIN}};
	while (polled[1].fd >= 0 || polled[2].fd >= 0) {
		int64_t left = deadline - now_ms();
		if (left <= 0) return false;
		if (poll(polled, 3, (int)left) < 0) continue;
		if (polled[0].revents != 0 && write_some(*input, &helper->input, &written)) {
			close_end(input); /* tells the program that no more comes */
			polled[0].fd = -1;
		}
		for (int i = 0; i < 2; i++)
			if (polled[i + 1].revents != 0 && read_some(output[i], &helper->output[i]))
				polled[i + 1].fd = -1;
	}
	return true;
}

/* Signals are as in a process that nobody has changed: Node ignores SIGPIPE, and a child would inherit that. */
static int start(struct helper *helper, pid_t *pid, int input, int output, int error)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setsigmask(&attributes, &none);
	int failed = posix_spawnp(pid, helper->list[0], &actions, &attributes, helper->list, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

static void execute(napi_env env, void *data)
{
	(void)env;
	struct helper *helper = data;
	int input[2] = {-1, -1}, output[2] = {-1, -1}, error[2] = {-1, -1};
	bool has_pipe = helper->descriptor < 0;
	int failed = 0;
	pid_t pid = 0;
	if ((has_pipe && pipe2(input, O_CLOEXEC) < 0) || pipe2(output, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0) failed = errno;
	if (failed == 0) failed = start(helper, &pid, has_pipe ? input[0] : helper->descriptor, output[1], error[1]);
	close_end(&input[0]);
	close_end(&output[1]);
	close_end(&error[1]);
	helper->status = -failed;
	if (failed == 0) {
		if (helper->input.octets == 0) close_end(&input[1]);
		else fcntl(input[1], F_SETFL, O_NONBLOCK);
		if (!converse(helper, &input[1], (int[]){output[0], error[0]})) kill(pid, SIGKILL);
		int status;
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
		helper->status = WIFEXITED(status) ? WEXITSTATUS(status) : KILLED;
	}
	close_end(&input[1]);
	close_end(&output[0]);
	close_end(&error[0]);
}

static void free_helper(struct helper *helper)
{
	free(helper->words);
	free(helper->list);
	free(helper->input.data);
	for (int i = 0; i < 2; i++) free(helper->output[i].data);
	free(helper);
}

static void complete(napi_env env, napi_status ended, void *data)
{
	struct helper *helper = data;
	napi_value result, value;
	(void)ended;
	napi_create_array_with_length(env, 3, &result);
	napi_set_element(env, result, 0, integer_value(env, helper->status));
	for (unsigned i = 0; i < 2; i++) {
		napi_create_buffer_copy(env, helper->output[i].octets, helper->output[i].data, NULL, &value);
		napi_set_element(env, result, i + 1, value);
	}
	napi_resolve_deferred(env, helper->deferred, result);
	napi_delete_async_work(env, helper->work);
	free_helper(helper);
}

/* `words` ends with a NUL. */
static bool take_words(struct helper *helper, const struct span *words)
{
	size_t count = 0;
	helper->words = malloc(words->count);
	if (helper->words == NULL) return false;
	memcpy(helper->words, words->data, words->count);
	for (size_t i = 0; i < words->count; i++) count += helper->words[i] == 0;
	helper->list = calloc(count + 1, sizeof *helper->list);
	if (helper->list == NULL) return false;
	char *word = helper->words;
	for (size_t i = 0; i < count; i++) {
		helper->list[i] = word;
		word += strlen(word) + 1;
	}
	return true;
}

static bool take_input(struct helper *helper, const struct span *input)
{
	if (input->count == 0) return true;
	helper->input = (struct text){.data = malloc(input->count), .octets = input->count, .room = input->count};
	if (helper->input.data == NULL) return false;
	memcpy(helper->input.data, input->data, input->count);
	return true;
}

static napi_value run_program(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct span words = argument_array(&arguments, 0), input = argument_array(&arguments, 1);
	if (words.count == 0 || ((char *)words.data)[words.count - 1] != 0)
		return throw_errno(env, "runProgram", "posix_spawn", EINVAL);
	struct helper *helper = calloc(1, sizeof *helper);
	if (helper == NULL || !take_words(helper, &words) || !take_input(helper, &input)) {
		if (helper != NULL) free_helper(helper);
		return throw_errno(env, "runProgram", "malloc", ENOMEM);
	}
	helper->descriptor = argument_integer(&arguments, 2);
	helper->timeout_ms = argument_integer(&arguments, 3);
	napi_value promise, name;
	napi_create_string_utf8(env, "wideplane:runProgram", NAPI_AUTO_LENGTH, &name);
	napi_create_promise(env, &helper->deferred, &promise);
	napi_create_async_work(env, NULL, name, execute, complete, helper, &helper->work);
	napi_queue_async_work(env, helper->work);
	return promise;
}

static const struct function_entry functions[] = {{"runProgram", run_program}};

void helper_program_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
