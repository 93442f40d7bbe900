/* Sockets of servers, and their way from one process to another: bound to an address that the machine need not have yet, in the
 * network namespace of the caller or in another one. */
#include "socket_batch.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, BUFFER_OCTETS = 4 << 20 };

struct wanted {
	union address local;
	int family;
	bool is_stream;
	bool is_shared;
	bool is_packet; /* of no address: a packet socket that is bound to nothing */
};

/* The address may come later: a tunnel that is not up yet. */
static void allow_any_address(int descriptor, int family)
{
	if (family == AF_INET) socket_set(descriptor, SOL_IP, IP_FREEBIND, 1);
	else socket_set(descriptor, SOL_IPV6, IPV6_FREEBIND, 1);
}

static void configure(int descriptor, int family, bool is_stream)
{
	allow_any_address(descriptor, family);
	/* One can be made before another of the same address has gone, and beside one of any address. */
	socket_set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
	if (is_stream) {
		socket_set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
		return;
	}
	socket_set_receive_buffer(descriptor, BUFFER_OCTETS);
	socket_set_send_buffer(descriptor, BUFFER_OCTETS);
	/* Replies of more than the path takes are cut by us, not learned about by lost ones. */
	if (family == AF_INET) {
		socket_set(descriptor, SOL_IP, IP_PKTINFO, 1);
		socket_set(descriptor, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	} else {
		socket_set(descriptor, SOL_IPV6, IPV6_RECVPKTINFO, 1);
		socket_set(descriptor, SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	}
}

/* Whether no other socket has the address, whatever that one allows: whoever shares a port takes a part of what comes. */
static bool is_free(const struct wanted *wanted, const char **syscall)
{
	int descriptor = socket_open(wanted->family, wanted->is_stream ? SOCK_STREAM : SOCK_DGRAM, 0, "", syscall);
	if (descriptor < 0) return false;
	allow_any_address(descriptor, wanted->family);
	/* Connections that have ended are in nobody's way. */
	if (wanted->is_stream) socket_set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
	*syscall = "bind";
	bool is_bound = bind(descriptor, &wanted->local.any, address_octets(wanted->family)) == 0;
	int error = errno;
	close(descriptor);
	errno = error;
	return is_bound;
}

/* A bound socket, or -1 and what failed. */
static int open_bound(const struct wanted *wanted, const char **syscall)
{
	int family = wanted->family;
	if (wanted->is_packet) {
		*syscall = "socket";
		return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	}
	if (!wanted->is_shared && !is_free(wanted, syscall)) return -1;
	int descriptor = socket_open(family, wanted->is_stream ? SOCK_STREAM : SOCK_DGRAM, 0, "", syscall);
	if (descriptor < 0) return -1;
	configure(descriptor, family, wanted->is_stream);
	*syscall = "bind";
	if (bind(descriptor, &wanted->local.any, address_octets(family)) == 0) {
		*syscall = "listen";
		if (!wanted->is_stream || listen(descriptor, BACKLOG) == 0) return descriptor;
	}
	int error = errno;
	close(descriptor);
	errno = error;
	return -1;
}

/* The same in a network namespace. This thread is in it meanwhile, and the process ends if it cannot come back. */
static int open_in_namespace(const char *path, const struct wanted *wanted, const char **syscall)
{
	*syscall = "open";
	int there = open(path, O_RDONLY | O_CLOEXEC);
	if (there < 0) return -1;
	int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int descriptor = -1;
	*syscall = "setns";
	if (here >= 0 && setns(there, CLONE_NEWNET) == 0) {
		descriptor = open_bound(wanted, syscall);
		int error = errno;
		if (setns(here, CLONE_NEWNET) < 0) abort();
		errno = error;
	}
	int error = errno;
	close(there);
	if (here >= 0) close(here);
	errno = error;
	return descriptor;
}

static napi_value server_socket_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	napi_value options = arguments.values[0];
	char text[64], namespace[256];
	option_text(env, options, "address", text, sizeof text);
	option_text(env, options, "namespace", namespace, sizeof namespace);
	struct wanted wanted = {
		.family = option_number(env, options, "family") == 6 ? AF_INET6 : AF_INET,
		.is_stream = option_boolean(env, options, "isStream"),
		.is_shared = option_boolean(env, options, "isShared"),
		.is_packet = option_boolean(env, options, "isPacket"),
	};
	int error = wanted.is_packet ? 0 : address_read(&wanted.local, wanted.family, text, (uint16_t)option_number(env, options, "port"), "");
	if (error != 0) return throw_errno(env, text, "inet_pton", error);
	const char *syscall;
	int descriptor = namespace[0] == '\0' ? open_bound(&wanted, &syscall)
					      : open_in_namespace(namespace, &wanted, &syscall);
	if (descriptor < 0) return throw_errno(env, text, syscall, errno);
	return integer_value(env, descriptor);
}

static int unix_address(struct sockaddr_un *into, const char *path)
{
	memset(into, 0, sizeof *into);
	into->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof into->sun_path) return ENAMETOOLONG;
	strcpy(into->sun_path, path);
	return 0;
}

struct passed_descriptor {
	_Alignas(struct cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(int))];
};

/* Sends a descriptor, and a number that says which it is, to whoever has opened the path. */
static napi_value descriptor_send(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	option_text(env, arguments.values[0], "path", path, sizeof path);
	int32_t tag = (int32_t)option_number(env, arguments.values[0], "tag");
	int passed = (int)option_number(env, arguments.values[0], "descriptor");
	struct sockaddr_un to;
	int error = unix_address(&to, path);
	if (error != 0) return throw_errno(env, path, "sockaddr_un", error);
	int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (descriptor < 0) return throw_errno(env, path, "socket", errno);
	struct passed_descriptor control = {{0}};
	struct iovec piece = {&tag, sizeof tag};
	struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &piece, .msg_iovlen = 1,
				 .msg_control = control.octets, .msg_controllen = sizeof control.octets};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	*head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(head), &passed, sizeof passed);
	error = sendmsg(descriptor, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
	close(descriptor);
	return error == 0 ? undefined_value(env) : throw_errno(env, path, "sendmsg", error);
}

/* Where descriptors come in: replaces what a former process left at the path. */
static napi_value descriptor_inbox_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	option_text(env, arguments.values[0], "path", path, sizeof path);
	struct sockaddr_un own;
	int error = unix_address(&own, path);
	if (error != 0) return throw_errno(env, path, "sockaddr_un", error);
	int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (descriptor < 0) return throw_errno(env, path, "socket", errno);
	unlink(path);
	if (bind(descriptor, (struct sockaddr *)&own, sizeof own) < 0) {
		error = errno;
		close(descriptor);
		return throw_errno(env, path, "bind", error);
	}
	return integer_value(env, descriptor);
}

/* The next that has come: its number and the descriptor; an empty array when there is none. */
static napi_value descriptor_inbox_take(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	int32_t tag = 0;
	struct passed_descriptor control;
	struct iovec piece = {&tag, sizeof tag};
	struct msghdr message = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.octets, .msg_controllen = sizeof control.octets};
	if (recvmsg(argument_integer(&arguments, 0), &message, MSG_CMSG_CLOEXEC) < 0) return integers_value(env, NULL, 0);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	if (head == NULL || head->cmsg_type != SCM_RIGHTS) return integers_value(env, NULL, 0);
	int both[2] = {tag, -1};
	memcpy(&both[1], CMSG_DATA(head), sizeof both[1]);
	return integers_value(env, both, 2);
}

static const struct function_entry functions[] = {
	{"serverSocketOpen", server_socket_open},
	{"descriptorSend", descriptor_send},
	{"descriptorInboxOpen", descriptor_inbox_open},
	{"descriptorInboxTake", descriptor_inbox_take},
};

void server_socket_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
