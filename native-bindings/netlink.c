/* Netlink sockets: datagrams in and out. What they mean is read and written in src/wire/rtnetlink.ts and src/wire/sock-diag.ts. */
#include "addon.h"

#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel fills dump datagrams of at most this size (NLMSG_GOODSIZE grows to 32 KB with the reader's buffer). */
#define DATAGRAM_OCTETS 65536

static napi_value netlink_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_groups = (uint32_t)argument_integer(&arguments, 0)};
	int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (descriptor < 0) return throw_errno(env, "netlinkOpen", "socket", errno);
	/* Best effort: a larger buffer survives a larger storm of changes; an overflow is reported as ENOBUFS anyway. */
	int octets = 4 << 20;
	if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) < 0)
		setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
	/* With it a dump honours its filters instead of answering with everything. */
	int on = 1;
	setsockopt(descriptor, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
	if (bind(descriptor, (struct sockaddr *)&local, sizeof local) < 0) {
		int error = errno;
		close(descriptor);
		return throw_errno(env, "netlinkOpen", "bind", error);
	}
	return integer_value(env, descriptor);
}

/* What sockets there are: the kernel goes on with a dump as it is read, so that nothing can overflow. */
static napi_value diagnostics_open(napi_env env, napi_callback_info info)
{
	(void)info;
	int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (descriptor < 0) return throw_errno(env, "diagnosticsOpen", "socket", errno);
	return integer_value(env, descriptor);
}

static napi_value netlink_send(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct span message = argument_array(&arguments, 1);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	if (sendto(argument_integer(&arguments, 0), message.data, message.count, 0, (struct sockaddr *)&kernel,
		   sizeof kernel) < 0)
		return throw_errno(env, "netlinkSend", "sendto", errno);
	return undefined_value(env);
}

static napi_value netlink_receive(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	uint8_t datagram[DATAGRAM_OCTETS];
	struct sockaddr_nl sender;
	ssize_t octets;
	do {
		socklen_t size = sizeof sender;
		octets = recvfrom(argument_integer(&arguments, 0), datagram, sizeof datagram, 0,
				  (struct sockaddr *)&sender, &size);
		/* Only the kernel has port 0: any process may send us a datagram, and none but the kernel's counts. */
	} while ((octets >= 0 && sender.nl_pid != 0) || (octets < 0 && errno == EINTR));
	napi_value result, buffer;
	if (octets < 0) {
		if (errno != EAGAIN) return throw_errno(env, "netlinkReceive", "recvfrom", errno);
		napi_get_null(env, &result);
		return result;
	}
	void *copy;
	napi_create_arraybuffer(env, (size_t)octets, &copy, &buffer);
	memcpy(copy, datagram, (size_t)octets);
	napi_create_typedarray(env, napi_uint8_array, (size_t)octets, buffer, 0, &result);
	return result;
}

static const struct function_entry functions[] = {
	{"netlinkOpen", netlink_open},
	{"diagnosticsOpen", diagnostics_open},
	{"netlinkSend", netlink_send},
	{"netlinkReceive", netlink_receive},
};

void netlink_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
