/* What probes need besides a raw socket: a TCP port on which nothing listens, the address that the kernel sends from, and sockets
 * whose packets have a mark, by which they are routed. */
#include "socket_batch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int family_of(const struct arguments *arguments)
{
	return argument_integer(arguments, 0) == 6 ? AF_INET6 : AF_INET;
}

/* Bound and not listening: the kernel gives the port to nobody else, and answers what comes to it with RST. */
static napi_value port_reserve(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	int family = family_of(&arguments);
	const char *syscall;
	int descriptor = socket_open(family, SOCK_STREAM, 0, "", &syscall);
	if (descriptor < 0) return throw_errno(env, "portReserve", syscall, errno);
	union address local = {.any.sa_family = (sa_family_t)family};
	socklen_t octets = address_octets(family);
	if (bind(descriptor, &local.any, octets) < 0 || getsockname(descriptor, &local.any, &octets) < 0) {
		int error = errno;
		close(descriptor);
		return throw_errno(env, "portReserve", "bind", error);
	}
	int values[] = {descriptor, ntohs(family == AF_INET ? local.v4.sin_port : local.v6.sin6_port)};
	return integers_value(env, values, 2);
}

static bool set_mark(int descriptor, int mark)
{
	return mark == 0 || setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0;
}

static int source_address(int family, int32_t *words, int mark)
{
	/* Any port: connecting a UDP socket sends nothing. */
	int32_t descriptor[RAW_STRIDE] = {[WORD_OTHER] = 9};
	memcpy(descriptor + WORD_ADDRESS, words, 4 * sizeof *words);
	union address address;
	address_of_words(&address, family, descriptor);
	const char *syscall;
	socklen_t octets = address_octets(family);
	int udp = socket_open(family, SOCK_DGRAM, 0, "", &syscall);
	if (udp < 0) return errno;
	int error = 0;
	if (!set_mark(udp, mark) || connect(udp, &address.any, octets) < 0 || getsockname(udp, &address.any, &octets) < 0) error = errno;
	close(udp);
	if (error != 0) return error;
	for (int i = 0; i < 4; i++)
		words[i] = family == AF_INET6 ? (int32_t)ntohl(address.v6.sin6_addr.s6_addr32[i])
			 : i == 3	      ? (int32_t)ntohl(address.v4.sin_addr.s_addr)
					      : 0;
	return 0;
}

static napi_value source_address_call(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct span words = argument_array(&arguments, 1);
	if (words.count < 4) return integer_value(env, EINVAL);
	return integer_value(env, source_address(family_of(&arguments), words.data, argument_integer(&arguments, 2)));
}

/* A socket for probes that is not connected yet. */
static napi_value marked_socket(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	const char *syscall;
	int type = argument_integer(&arguments, 1) == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int descriptor = socket_open(family_of(&arguments), type, 0, "", &syscall);
	if (descriptor < 0) return throw_errno(env, "markedSocket", syscall, errno);
	if (!set_mark(descriptor, argument_integer(&arguments, 2))) {
		int error = errno;
		close(descriptor);
		return throw_errno(env, "markedSocket", "setsockopt SO_MARK", error);
	}
	return integer_value(env, descriptor);
}

/* What the socket sends from now on has the mark; 0: none. */
static napi_value mark_socket(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	int mark = argument_integer(&arguments, 1);
	int error = setsockopt(argument_integer(&arguments, 0), SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0 ? 0 : errno;
	return integer_value(env, error);
}

/* For sockets that were opened by somebody who does not know better. */
static napi_value raw_sockets_close_on_exec(napi_env env, napi_callback_info info)
{
	(void)info;
	DIR *directory = opendir("/proc/self/fd");
	if (directory == NULL) return throw_errno(env, "/proc/self/fd", "opendir", errno);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		int descriptor = atoi(entry->d_name), type = 0;
		if (descriptor <= STDERR_FILENO) continue;
		if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0) continue;
		if (type == SOCK_RAW) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
	}
	closedir(directory);
	return undefined_value(env);
}

static const struct function_entry functions[] = {
	{"portReserve", port_reserve},
	{"sourceAddress", source_address_call},
	{"markedSocket", marked_socket},
	{"markSocket", mark_socket},
	{"rawSocketsCloseOnExec", raw_sockets_close_on_exec},
};

void probe_socket_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
