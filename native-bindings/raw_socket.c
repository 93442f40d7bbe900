/* A raw IP socket of one protocol, bound to one address: what it receives was sent to that address, what it sends leaves from
 * there, and routing, fragments and path MTU are the kernel's.
 *
 * Over IPv4 the kernel hands over the IP header too, which is stepped over here; over IPv6 it does not. */
#include "socket_batch.h"

#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRANSMIT_BATCH 256
#define IPV4_OCTETS 20

struct transmit_control {
	/* TOS or traffic class. */
	_Alignas(struct cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(int))];
};

struct raw_socket {
	struct arena *arena;
	int family;
	int descriptor;
	struct receive_batch received;
	struct mmsghdr transmit[TRANSMIT_BATCH];
	struct iovec transmit_pieces[TRANSMIT_BATCH];
	union address destinations[TRANSMIT_BATCH];
	struct transmit_control transmit_controls[TRANSMIT_BATCH];
};

/* Makes the descriptor of an IPv4 packet one of its payload. */
static void step_over_header(const struct raw_socket *raw, int32_t *descriptor)
{
	const uint8_t *header = raw->arena->base + (uint32_t)descriptor[WORD_OFFSET];
	int32_t octets = descriptor[WORD_OCTETS] < IPV4_OCTETS ? descriptor[WORD_OCTETS] : (header[0] & 0x0f) * 4;
	if (octets > descriptor[WORD_OCTETS]) octets = descriptor[WORD_OCTETS];
	descriptor[WORD_OFFSET] += octets;
	descriptor[WORD_OCTETS] -= octets;
}

static int receive(struct raw_socket *raw, int32_t *descriptors, int max)
{
	int count = receive_batch_take(&raw->received, raw->descriptor, max);
	for (int i = 0; i < count; i++) {
		receive_batch_describe(&raw->received, (unsigned)i, raw->arena, descriptors + i * RAW_STRIDE);
		if (raw->family == AF_INET) step_over_header(raw, descriptors + i * RAW_STRIDE);
	}
	return count;
}

/* Sends packets in order up to the first failure; returns how many were sent. */
static int transmit(struct raw_socket *raw, const int32_t *descriptors, int count)
{
	int sent = 0;
	while (sent < count) {
		int batch = count - sent < TRANSMIT_BATCH ? count - sent : TRANSMIT_BATCH;
		for (int i = 0; i < batch; i++) {
			const int32_t *descriptor = descriptors + (sent + i) * RAW_STRIDE;
			raw->transmit_pieces[i] = (struct iovec){
				raw->arena->base + (uint32_t)descriptor[WORD_OFFSET], (size_t)descriptor[WORD_OCTETS]};
			address_of_words(&raw->destinations[i], raw->family, descriptor);
			struct msghdr *header = &raw->transmit[i].msg_hdr;
			uint8_t *control = raw->transmit_controls[i].octets;
			header->msg_controllen = control_add_tos(control, 0, raw->family, descriptor[WORD_OTHER] >> 16 & 0xff);
			header->msg_control = header->msg_controllen != 0 ? control : NULL;
		}
		int done = (int)socket_send(raw->descriptor, raw->transmit, (unsigned)batch);
		sent += done;
		if (done < batch) break;
	}
	return sent;
}

/* `filter`: struct sock_filter as it is in memory; empty: everything is received. */
static const char *open_raw(struct raw_socket *raw, napi_env env, napi_value options, const char *text, struct span filter)
{
	char device[64];
	option_text(env, options, "device", device, sizeof device);
	raw->family = option_number(env, options, "family") == 6 ? AF_INET6 : AF_INET;
	int ttl = (int)option_number(env, options, "ttl");
	union address local;
	int error = address_read(&local, raw->family, text, 0, device);
	if (error != 0) return errno = error, "inet_pton";
	size_t offset = frame_offset((size_t)option_number(env, options, "headroomOctets"));
	offset += (size_t)option_number(env, options, "shiftOctets");
	receive_batch_open(&raw->received, raw->family, raw->arena, env, options, offset);
	for (unsigned i = 0; i < TRANSMIT_BATCH; i++) {
		struct msghdr *header = &raw->transmit[i].msg_hdr;
		header->msg_name = &raw->destinations[i];
		header->msg_namelen = address_octets(raw->family);
		header->msg_iov = &raw->transmit_pieces[i];
		header->msg_iovlen = 1;
	}
	const char *syscall;
	int descriptor = raw->descriptor =
		socket_open(raw->family, SOCK_RAW, (int)option_number(env, options, "protocol"), "", &syscall);
	if (descriptor < 0) return syscall;
	struct sock_fprog program = {
		.len = (unsigned short)(filter.count / sizeof(struct sock_filter)), .filter = filter.data};
	if (program.len > 0 && setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
		return "setsockopt SO_ATTACH_FILTER";
	socket_set_receive_buffer(descriptor, 16 << 20);
	if (raw->family == AF_INET) {
		socket_set(descriptor, SOL_IP, IP_RECVTOS, 1);
		socket_set(descriptor, SOL_IP, IP_RECVTTL, 1);
	} else {
		socket_set(descriptor, SOL_IPV6, IPV6_RECVTCLASS, 1);
		socket_set(descriptor, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
	}
	socket_configure_sending(descriptor, raw->family, ttl, option_boolean(env, options, "dontFragment"));
	socket_configure_multicast(descriptor, raw->family, ttl, device);
	if (option_boolean(env, options, "joins")) {
		syscall = socket_join_group(descriptor, raw->family, &local, device);
		if (syscall != NULL) return syscall;
	}
	return bind(descriptor, &local.any, address_octets(raw->family)) < 0 ? "bind" : NULL;
}

static void close_raw(struct raw_socket *raw)
{
	if (raw->descriptor >= 0) close(raw->descriptor);
	receive_batch_close(&raw->received);
	free(raw);
}

static napi_value raw_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct arena *arena = handle_find(HANDLE_ARENA, argument_integer(&arguments, 0));
	char text[64];
	option_text(env, arguments.values[1], "localAddress", text, sizeof text);
	if (arena == NULL) return throw_errno(env, text, "arena", EBADF);
	struct raw_socket *raw = calloc(1, sizeof *raw);
	if (raw == NULL) return throw_errno(env, text, "calloc", ENOMEM);
	raw->arena = arena;
	raw->descriptor = -1;
	const char *syscall = open_raw(raw, env, arguments.values[1], text, argument_array(&arguments, 2));
	int error = syscall == NULL ? 0 : errno;
	int handle = error != 0 ? -1 : handle_add(HANDLE_RAW, raw);
	if (error == 0 && handle < 0) error = EMFILE, syscall = "handle";
	if (error != 0) {
		close_raw(raw);
		return throw_errno(env, text, syscall, error);
	}
	return integer_value(env, handle);
}

/* The functions of a socket that is open. */

static struct raw_socket *raw_of(const struct arguments *arguments)
{
	struct raw_socket *raw = handle_find(HANDLE_RAW, argument_integer(arguments, 0));
	if (raw == NULL) throw_errno(arguments->env, "raw socket", "handle", EBADF);
	return raw;
}

static napi_value raw_receive(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct raw_socket *raw = raw_of(&arguments);
	if (raw == NULL) return NULL;
	struct span descriptors = argument_array(&arguments, 1);
	int max = argument_integer(&arguments, 2);
	if (max > (int)(descriptors.count / RAW_STRIDE)) max = (int)(descriptors.count / RAW_STRIDE);
	return integer_value(env, receive(raw, descriptors.data, max));
}

static napi_value raw_transmit(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct raw_socket *raw = raw_of(&arguments);
	if (raw == NULL) return NULL;
	struct span descriptors = argument_array(&arguments, 1);
	int first = argument_integer(&arguments, 2);
	int count = argument_integer(&arguments, 3);
	return integer_value(env, transmit(raw, (int32_t *)descriptors.data + first * RAW_STRIDE, count));
}

static napi_value raw_overruns(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct raw_socket *raw = raw_of(&arguments);
	if (raw == NULL) return NULL;
	napi_value result;
	napi_create_uint32(env, socket_overruns(raw->descriptor), &result);
	return result;
}

static napi_value raw_descriptors(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct raw_socket *raw = raw_of(&arguments);
	if (raw == NULL) return NULL;
	return integers_value(env, &raw->descriptor, 1);
}

static napi_value raw_close(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct raw_socket *raw = handle_remove(HANDLE_RAW, argument_integer(&arguments, 0));
	if (raw == NULL) return throw_errno(env, "raw socket", "handle", EBADF);
	close_raw(raw);
	return undefined_value(env);
}

static const struct function_entry functions[] = {
	{"rawOpen", raw_open},		{"rawReceive", raw_receive},	     {"rawTransmit", raw_transmit},
	{"rawOverruns", raw_overruns},	{"rawDescriptors", raw_descriptors}, {"rawClose", raw_close},
};

void raw_socket_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
