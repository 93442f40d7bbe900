/* A UDP endpoint: one bound socket that receives, and several that send, each from a source port of its own.
 *
 * Receiving, the kernel may join datagrams of one flow (UDP_GRO); sending, neighbours in the batch that go the same way
 * leave in one call as segments of one buffer (UDP_SEGMENT), gathered from where they lie. So do the segments of a
 * super-frame behind the header of a tunnel: their headers are made here, their payload stays where it is. */
#include "addon.h"
#include "segment.h"
#include "socket_batch.h"

#include <linux/filter.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif

/* Words of a descriptor behind those of every socket. On transmit WORD_SEGMENT is the index of the source socket. */
enum { WORD_GSO_OCTETS = RAW_STRIDE, WORD_GSO_PLACES, UDP_STRIDE };
#define WORD_SOURCE WORD_SEGMENT

#define MAX_SOURCES 256
#define TRANSMIT_BATCH 256
/* What the kernel takes in one send: UDP_MAX_SEGMENTS of older kernels, and an IP packet less its headers. */
#define MAX_SEGMENTS 64
#define MAX_SEGMENTED_OCTETS 65500

struct transmit_control {
	/* UDP_SEGMENT (16 bits), TOS or traffic class (an int). */
	_Alignas(struct cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int))];
};

struct endpoint {
	struct arena *arena;
	int family;
	bool segmentation;
	int receive_socket;
	int source_sockets[MAX_SOURCES];
	unsigned source_count;

	struct receive_batch received;
	struct mmsghdr transmit[TRANSMIT_BATCH];
	struct iovec transmit_pieces[TRANSMIT_BATCH];
	union address destinations[TRANSMIT_BATCH];
	struct transmit_control transmit_controls[TRANSMIT_BATCH];
	unsigned group_sizes[TRANSMIT_BATCH]; /* datagrams in each message */
	struct segment segments[MAX_SEGMENTS]; /* of the super-frame that is being sent */
};

/* Receiving. */

static int receive(struct endpoint *endpoint, int32_t *descriptors, int max)
{
	int count = receive_batch_take(&endpoint->received, endpoint->receive_socket, max);
	for (int i = 0; i < count; i++)
		receive_batch_describe(&endpoint->received, (unsigned)i, endpoint->arena, descriptors + i * UDP_STRIDE);
	return count;
}

/* Sending. */

static bool same_way(const int32_t *first, const int32_t *other)
{
	return first[WORD_SOURCE] == other[WORD_SOURCE] && ((first[WORD_OTHER] ^ other[WORD_OTHER]) & 0xffffff) == 0 &&
	       memcmp(first + WORD_ADDRESS, other + WORD_ADDRESS, 4 * sizeof *first) == 0;
}

/* How many datagrams from `first` on can leave as segments of one buffer: all of one size, the last perhaps shorter. */
static int group_size(const int32_t *first, int limit)
{
	int32_t octets = first[WORD_OCTETS], total = octets;
	int size = 1;
	if (octets == 0) return 1;
	for (; size < limit; size++) {
		const int32_t *next = first + size * UDP_STRIDE;
		int32_t more = next[WORD_OCTETS];
		if (more == 0 || more > octets || total + more > MAX_SEGMENTED_OCTETS || !same_way(first, next)) break;
		total += more;
		if (more < octets) return size + 1;
	}
	return size;
}

/* Destination, TOS, and the octets of each segment (0: it is one datagram) of a message. */
static void write_envelope(struct endpoint *endpoint, unsigned at, const int32_t *descriptor, size_t segment_octets)
{
	struct msghdr *header = &endpoint->transmit[at].msg_hdr;
	address_of_words(&endpoint->destinations[at], endpoint->family, descriptor);
	struct cmsghdr *control = (struct cmsghdr *)endpoint->transmit_controls[at].octets;
	size_t used = 0;
	if (segment_octets != 0) {
		control->cmsg_level = SOL_UDP;
		control->cmsg_type = UDP_SEGMENT;
		control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
		uint16_t octets = (uint16_t)segment_octets;
		memcpy(CMSG_DATA(control), &octets, sizeof octets);
		used = CMSG_SPACE(sizeof(uint16_t));
	}
	used = control_add_tos(endpoint->transmit_controls[at].octets, used, endpoint->family,
			       descriptor[WORD_OTHER] >> 16 & 0xff);
	header->msg_control = used != 0 ? endpoint->transmit_controls[at].octets : NULL;
	header->msg_controllen = used;
}

/* One message of `size` datagrams; its pieces start at `piece`. */
static void compose(struct endpoint *endpoint, unsigned at, unsigned piece, const int32_t *descriptors, int size)
{
	struct msghdr *header = &endpoint->transmit[at].msg_hdr;
	struct iovec *pieces = &endpoint->transmit_pieces[piece];
	for (int i = 0; i < size; i++) {
		pieces[i].iov_base = endpoint->arena->base + (uint32_t)descriptors[i * UDP_STRIDE + WORD_OFFSET];
		pieces[i].iov_len = (size_t)descriptors[i * UDP_STRIDE + WORD_OCTETS];
	}
	header->msg_iov = pieces;
	header->msg_iovlen = (size_t)size;
	endpoint->group_sizes[at] = (unsigned)size;
	write_envelope(endpoint, at, descriptors, size > 1 ? (size_t)descriptors[WORD_OCTETS] : 0);
}

/* Sends `count` datagrams of one source socket, one a message or grouped; returns how many were sent. */
static int send_run(struct endpoint *endpoint, const int32_t *descriptors, int count, bool grouped)
{
	unsigned messages = 0;
	for (int done = 0; done < count; messages++) {
		int limit = count - done < MAX_SEGMENTS ? count - done : MAX_SEGMENTS;
		int size = grouped ? group_size(descriptors + done * UDP_STRIDE, limit) : 1;
		compose(endpoint, messages, (unsigned)done, descriptors + done * UDP_STRIDE, size);
		done += size;
	}
	unsigned sent_messages = socket_send(endpoint->source_sockets[descriptors[WORD_SOURCE]], endpoint->transmit, messages);
	int sent = 0;
	for (unsigned i = 0; i < sent_messages; i++) sent += (int)endpoint->group_sizes[i];
	return sent;
}

static bool is_refusal_of_segmentation(int error) { return error == EINVAL || error == EMSGSIZE || error == EIO; }

/* Sends the first `count` of endpoint->segments, as segments of one buffer or a message each. */
static bool send_segments(struct endpoint *endpoint, const struct super_frame *super, const int32_t *descriptor,
			  unsigned count, bool grouped)
{
	struct iovec *pieces = endpoint->transmit_pieces;
	for (unsigned i = 0; i < count; i++) {
		pieces[2 * i] = (struct iovec){endpoint->segments[i].header, super->payload};
		pieces[2 * i + 1] = (struct iovec){(void *)endpoint->segments[i].payload, endpoint->segments[i].octets};
	}
	unsigned messages = grouped ? 1 : count;
	for (unsigned i = 0; i < messages; i++) {
		endpoint->transmit[i].msg_hdr.msg_iov = pieces + 2 * i;
		endpoint->transmit[i].msg_hdr.msg_iovlen = grouped ? 2 * count : 2;
		write_envelope(endpoint, i, descriptor, grouped ? super->payload + super->segment_octets : 0);
	}
	return socket_send(endpoint->source_sockets[descriptor[WORD_SOURCE]], endpoint->transmit, messages) == messages;
}

/* Cuts a super-frame and sends its segments, as many in one call as the kernel takes. */
static bool send_super_frame(struct endpoint *endpoint, const int32_t *descriptor)
{
	struct super_frame super;
	uint32_t places = (uint32_t)descriptor[WORD_GSO_PLACES];
	last_error = EINVAL;
	if (!super_frame_look(&super, endpoint->arena->base + (uint32_t)descriptor[WORD_OFFSET],
			      (size_t)descriptor[WORD_OCTETS], places >> 16, places & 0xffff,
			      (size_t)descriptor[WORD_GSO_OCTETS]))
		return false;
	unsigned most = (unsigned)(MAX_SEGMENTED_OCTETS / (super.payload + super.segment_octets));
	if (most > MAX_SEGMENTS) most = MAX_SEGMENTS;
	if (most == 0) most = 1;
	for (unsigned first = 0; first < super.segments;) {
		unsigned count = super.segments - first < most ? super.segments - first : most;
		for (unsigned i = 0; i < count; i++) super_frame_cut(&super, first + i, &endpoint->segments[i]);
		first += count;
		bool grouped = endpoint->segmentation && count > 1;
		if (send_segments(endpoint, &super, descriptor, count, grouped)) continue;
		if (!grouped || !is_refusal_of_segmentation(last_error)) return false;
		bool unsupported = last_error != EMSGSIZE;
		if (!send_segments(endpoint, &super, descriptor, count, false)) return false;
		if (unsupported) endpoint->segmentation = false;
	}
	return true;
}

static int transmit(struct endpoint *endpoint, const int32_t *descriptors, int count)
{
	int sent = 0;
	while (sent < count) {
		const int32_t *first = descriptors + sent * UDP_STRIDE;
		if (first[WORD_GSO_OCTETS] != 0) {
			if (!send_super_frame(endpoint, first)) break;
			sent++;
			continue;
		}
		int limit = count - sent < TRANSMIT_BATCH ? count - sent : TRANSMIT_BATCH;
		int run = 1;
		for (const int32_t *next = first + UDP_STRIDE; run < limit; run++, next += UDP_STRIDE)
			if (next[WORD_SOURCE] != first[WORD_SOURCE] || next[WORD_GSO_OCTETS] != 0) break;
		int done = send_run(endpoint, first, run, endpoint->segmentation);
		sent += done;
		if (done == run) continue;
		if (!endpoint->segmentation || !is_refusal_of_segmentation(last_error)) break;

		/* A group was refused, or a datagram that stood alone: sent one by one, the culprit shows. */
		first += done * UDP_STRIDE;
		int size = group_size(first, run - done < MAX_SEGMENTS ? run - done : MAX_SEGMENTS);
		if (size == 1) break;
		bool unsupported = last_error != EMSGSIZE;
		done = send_run(endpoint, first, size, false);
		sent += done;
		if (done < size) break;
		if (unsupported) endpoint->segmentation = false;
	}
	return sent;
}

/* Opening. */

static const char *open_receiver(struct endpoint *endpoint, napi_env env, napi_value options, const union address *local,
				 const char *device, const char *multicast_device)
{
	const char *syscall;
	int descriptor = endpoint->receive_socket =
		socket_open(endpoint->family, SOCK_DGRAM, IPPROTO_UDP, device, &syscall);
	if (descriptor < 0) return syscall;
	socket_set_receive_buffer(descriptor, 16 << 20);
	socket_set(descriptor, SOL_UDP, UDP_GRO, 1);
	if (endpoint->family == AF_INET) {
		socket_set(descriptor, SOL_IP, IP_RECVTOS, 1);
		socket_set(descriptor, SOL_IP, IP_RECVTTL, 1);
	} else {
		socket_set(descriptor, SOL_IPV6, IPV6_RECVTCLASS, 1);
		socket_set(descriptor, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
		/* Tunnels over IPv6 may leave the checksum out where both ends want it so (RFC 6935). */
		socket_set(descriptor, SOL_UDP, UDP_NO_CHECK6_RX, option_boolean(env, options, "acceptsNoChecksum"));
	}
	if (option_boolean(env, options, "joins")) {
		syscall = socket_join_group(descriptor, endpoint->family, local, multicast_device);
		if (syscall != NULL) return syscall;
	}
	return bind(descriptor, &local->any, address_octets(endpoint->family)) < 0 ? "bind" : NULL;
}

static void configure_source(const struct endpoint *endpoint, int descriptor, int ttl, bool checksum, bool dont_fragment)
{
	/* What arrives here is an answer to nobody. */
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &none};
	setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
	socket_configure_sending(descriptor, endpoint->family, ttl, dont_fragment);
	if (checksum) return;
	if (endpoint->family == AF_INET) socket_set(descriptor, SOL_SOCKET, SO_NO_CHECK, 1);
	else socket_set(descriptor, SOL_UDP, UDP_NO_CHECK6_TX, 1);
}

/* Binds source sockets to ports of the range, spread over it, next to those that somebody else holds. */
static const char *open_sources(struct endpoint *endpoint, napi_env env, napi_value options, union address local,
				const char *device, const char *multicast_device)
{
	unsigned wanted = (unsigned)option_number(env, options, "sourceSockets");
	unsigned first = (unsigned)option_number(env, options, "sourcePortMin");
	unsigned last = (unsigned)option_number(env, options, "sourcePortMax");
	int ttl = (int)option_number(env, options, "ttl");
	bool checksum = option_boolean(env, options, "checksum");
	bool dont_fragment = option_boolean(env, options, "dontFragment");
	/* Segments leave with checksums only: udp_send_skb. */
	endpoint->segmentation = checksum;
	if (wanted > MAX_SOURCES) wanted = MAX_SOURCES;
	if (wanted == 0) return NULL;
	if (last < first || last > 65535) return errno = EINVAL, "source port range";
	unsigned ports = last - first + 1;
	unsigned stride = ports / wanted > 0 ? ports / wanted : 1;
	for (unsigned start = 0; start < stride && endpoint->source_count < wanted; start++) {
		for (unsigned port = first + start; port <= last && endpoint->source_count < wanted; port += stride) {
			const char *syscall;
			int descriptor = socket_open(endpoint->family, SOCK_DGRAM, IPPROTO_UDP, device, &syscall);
			if (descriptor < 0) return syscall;
			configure_source(endpoint, descriptor, ttl, checksum, dont_fragment);
			socket_configure_multicast(descriptor, endpoint->family, ttl, multicast_device);
			if (endpoint->family == AF_INET) local.v4.sin_port = htons((uint16_t)port);
			else local.v6.sin6_port = htons((uint16_t)port);
			if (bind(descriptor, &local.any, address_octets(endpoint->family)) == 0) {
				endpoint->source_sockets[endpoint->source_count++] = descriptor;
				continue;
			}
			int error = errno;
			close(descriptor);
			errno = error;
			if (error != EADDRINUSE && error != EACCES) return "bind";
		}
	}
	/* Fewer than wanted will do; entropy only gets coarser. */
	return endpoint->source_count == 0 ? "bind" : NULL;
}

static void close_endpoint(struct endpoint *endpoint)
{
	if (endpoint->receive_socket >= 0) close(endpoint->receive_socket);
	for (unsigned i = 0; i < endpoint->source_count; i++) close(endpoint->source_sockets[i]);
	receive_batch_close(&endpoint->received);
	free(endpoint);
}

static const char *open_endpoint(struct endpoint *endpoint, napi_env env, napi_value options, const char *text)
{
	char device[64], multicast_device[64];
	option_text(env, options, "device", device, sizeof device);
	option_text(env, options, "multicastDevice", multicast_device, sizeof multicast_device);
	endpoint->family = option_number(env, options, "family") == 6 ? AF_INET6 : AF_INET;
	union address local;
	uint16_t port = (uint16_t)option_number(env, options, "localPort");
	int error = address_read(&local, endpoint->family, text, port, multicast_device);
	if (error != 0) return errno = error, "inet_pton";
	size_t offset = frame_offset((size_t)option_number(env, options, "headroomOctets"));
	receive_batch_open(&endpoint->received, endpoint->family, endpoint->arena, env, options, offset);
	for (unsigned i = 0; i < TRANSMIT_BATCH; i++) {
		endpoint->transmit[i].msg_hdr.msg_name = &endpoint->destinations[i];
		endpoint->transmit[i].msg_hdr.msg_namelen = address_octets(endpoint->family);
	}
	const char *syscall = open_receiver(endpoint, env, options, &local, device, multicast_device);
	return syscall != NULL ? syscall : open_sources(endpoint, env, options, local, device, multicast_device);
}

static napi_value udp_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct arena *arena = handle_find(HANDLE_ARENA, argument_integer(&arguments, 0));
	char text[64];
	option_text(env, arguments.values[1], "localAddress", text, sizeof text);
	if (arena == NULL) return throw_errno(env, text, "arena", EBADF);
	struct endpoint *endpoint = calloc(1, sizeof *endpoint);
	if (endpoint == NULL) return throw_errno(env, text, "calloc", ENOMEM);
	endpoint->arena = arena;
	endpoint->receive_socket = -1;
	const char *syscall = open_endpoint(endpoint, env, arguments.values[1], text);
	int error = syscall == NULL ? 0 : errno;
	int handle = error != 0 ? -1 : handle_add(HANDLE_UDP, endpoint);
	if (error == 0 && handle < 0) error = EMFILE, syscall = "handle";
	if (error != 0) {
		close_endpoint(endpoint);
		return throw_errno(env, text, syscall, error);
	}
	return integer_value(env, handle);
}

/* The functions of an endpoint that is open. */

static struct endpoint *endpoint_of(const struct arguments *arguments)
{
	struct endpoint *endpoint = handle_find(HANDLE_UDP, argument_integer(arguments, 0));
	if (endpoint == NULL) throw_errno(arguments->env, "endpoint", "handle", EBADF);
	return endpoint;
}

static napi_value udp_receive(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct endpoint *endpoint = endpoint_of(&arguments);
	if (endpoint == NULL) return NULL;
	struct span descriptors = argument_array(&arguments, 1);
	int max = argument_integer(&arguments, 2);
	if (max > (int)(descriptors.count / UDP_STRIDE)) max = (int)(descriptors.count / UDP_STRIDE);
	return integer_value(env, receive(endpoint, descriptors.data, max));
}

static napi_value udp_transmit(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct endpoint *endpoint = endpoint_of(&arguments);
	if (endpoint == NULL) return NULL;
	struct span descriptors = argument_array(&arguments, 1);
	int first = argument_integer(&arguments, 2);
	int count = argument_integer(&arguments, 3);
	return integer_value(env, transmit(endpoint, (int32_t *)descriptors.data + first * UDP_STRIDE, count));
}

static napi_value udp_overruns(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct endpoint *endpoint = endpoint_of(&arguments);
	if (endpoint == NULL) return NULL;
	napi_value result;
	napi_create_uint32(env, socket_overruns(endpoint->receive_socket), &result);
	return result;
}

static napi_value udp_descriptors(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct endpoint *endpoint = endpoint_of(&arguments);
	if (endpoint == NULL) return NULL;
	return integers_value(env, &endpoint->receive_socket, 1);
}

/* The ports of the source sockets, in the order of their indices. */
static napi_value udp_source_ports(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct endpoint *endpoint = endpoint_of(&arguments);
	if (endpoint == NULL) return NULL;
	int ports[MAX_SOURCES];
	for (unsigned i = 0; i < endpoint->source_count; i++) {
		union address local;
		getsockname(endpoint->source_sockets[i], &local.any, &(socklen_t){sizeof local});
		ports[i] = ntohs(endpoint->family == AF_INET ? local.v4.sin_port : local.v6.sin6_port);
	}
	return integers_value(env, ports, endpoint->source_count);
}

static napi_value udp_close(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct endpoint *endpoint = handle_remove(HANDLE_UDP, argument_integer(&arguments, 0));
	if (endpoint == NULL) return throw_errno(env, "endpoint", "handle", EBADF);
	close_endpoint(endpoint);
	return undefined_value(env);
}

static const struct function_entry functions[] = {
	{"udpOpen", udp_open},		    {"udpReceive", udp_receive},	 {"udpTransmit", udp_transmit},
	{"udpOverruns", udp_overruns},	    {"udpDescriptors", udp_descriptors}, {"udpClose", udp_close},
	{"udpSourcePorts", udp_source_ports},
};

void udp_socket_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
