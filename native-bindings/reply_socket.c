/* A UDP socket for servers: requests are received in a batch into slots of the arena, and replies, which take their place in the
 * slots, are sent in a batch from the address that was asked. One call sends the replies of the batch before and waits for the
 * next one, so a thread does nothing but this call and what it makes of the batch. */
#include "socket_batch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Words of a descriptor: src/native/addon.ts. */
enum { REPLY_OCTETS, REPLY_PORT, REPLY_ADDRESS, REPLY_STRIDE = 6 };

struct place_control {
	/* The local address, and the interface. */
	_Alignas(struct cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct reply_socket {
	struct arena *arena;
	int family;
	int descriptor;
	size_t slots_offset;
	size_t slot_octets;
	unsigned slot_count;
	bool is_wildcard; /* of any address: each reply has to say which one it comes from */
	uint32_t failed;  /* replies that the kernel did not take */
	struct mmsghdr messages[MAX_SLOTS];
	struct mmsghdr sending[MAX_SLOTS];
	struct iovec pieces[MAX_SLOTS];
	struct iovec sending_pieces[MAX_SLOTS];
	union address senders[MAX_SLOTS];
	struct place_control controls[MAX_SLOTS];
};

/* The way a reply goes is the routes' choice, so the interface is left out but for addresses that mean something on it only. */
static void forget_interface(struct msghdr *message)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level == SOL_IP && control->cmsg_type == IP_PKTINFO) {
			((struct in_pktinfo *)CMSG_DATA(control))->ipi_ifindex = 0;
		} else if (control->cmsg_level == SOL_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(control);
			if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) info->ipi6_ifindex = 0;
		}
	}
}

/* Sends what stands in the slots of the last batch; a descriptor of 0 octets has no reply. */
static void send_replies(struct reply_socket *reply, const int32_t *descriptors, unsigned count)
{
	unsigned wanted = 0;
	for (unsigned i = 0; i < count; i++) {
		int32_t octets = descriptors[i * REPLY_STRIDE + REPLY_OCTETS];
		if (octets <= 0 || (size_t)octets > reply->slot_octets) continue;
		reply->sending_pieces[wanted] = (struct iovec){reply->pieces[i].iov_base, (size_t)octets};
		struct msghdr *message = &reply->sending[wanted].msg_hdr;
		*message = reply->messages[i].msg_hdr;
		message->msg_iov = &reply->sending_pieces[wanted++];
		if (reply->is_wildcard) forget_interface(message);
	}
	for (unsigned sent = 0; sent < wanted;) {
		int done = sendmmsg(reply->descriptor, reply->sending + sent, wanted - sent, 0);
		if (done > 0) {
			sent += (unsigned)done;
		} else if (errno != EINTR) {
			/* That one cannot be sent: no route, or a full queue. The sender asks again. */
			reply->failed++;
			sent++;
		}
	}
}

/* Waits for a batch, no longer than the socket's time-out; returns how many came. */
static int receive_requests(struct reply_socket *reply, int32_t *descriptors)
{
	for (unsigned i = 0; i < reply->slot_count; i++) {
		struct msghdr *message = &reply->messages[i].msg_hdr;
		message->msg_namelen = sizeof reply->senders[i];
		if (!reply->is_wildcard) continue;
		message->msg_control = reply->controls[i].octets;
		message->msg_controllen = sizeof reply->controls[i].octets;
	}
	int count = recvmmsg(reply->descriptor, reply->messages, reply->slot_count, MSG_WAITFORONE, NULL);
	if (count < 0) {
		last_error = errno;
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	}
	for (int i = 0; i < count; i++) {
		int32_t *descriptor = descriptors + i * REPLY_STRIDE;
		const union address *sender = &reply->senders[i];
		bool is_cut = (reply->messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
		descriptor[REPLY_OCTETS] = is_cut ? -1 : (int32_t)reply->messages[i].msg_len;
		if (reply->family == AF_INET) {
			descriptor[REPLY_PORT] = ntohs(sender->v4.sin_port);
			memcpy(descriptor + REPLY_ADDRESS, &sender->v4.sin_addr, sizeof sender->v4.sin_addr);
		} else {
			descriptor[REPLY_PORT] = ntohs(sender->v6.sin6_port);
			memcpy(descriptor + REPLY_ADDRESS, &sender->v6.sin6_addr, sizeof sender->v6.sin6_addr);
		}
	}
	return count;
}

static void prepare_slots(struct reply_socket *reply)
{
	for (unsigned i = 0; i < reply->slot_count; i++) {
		reply->pieces[i] = (struct iovec){
			reply->arena->base + reply->slots_offset + i * reply->slot_octets, reply->slot_octets};
		struct msghdr *message = &reply->messages[i].msg_hdr;
		message->msg_name = &reply->senders[i];
		message->msg_iov = &reply->pieces[i];
		message->msg_iovlen = 1;
	}
}

static const char *open_reply(struct reply_socket *reply, napi_env env, napi_value options, const char *text)
{
	char device[64];
	option_text(env, options, "device", device, sizeof device);
	reply->family = option_number(env, options, "family") == 6 ? AF_INET6 : AF_INET;
	union address local;
	int error = address_read(&local, reply->family, text, (uint16_t)option_number(env, options, "port"), device);
	if (error != 0) return errno = error, "inet_pton";
	reply->slots_offset = (size_t)option_number(env, options, "slotsOffset");
	reply->slot_octets = (size_t)option_number(env, options, "slotOctets");
	reply->slot_count = (unsigned)option_number(env, options, "slots");
	if (reply->slot_count > MAX_SLOTS) reply->slot_count = MAX_SLOTS;
	prepare_slots(reply);
	const char *syscall;
	int descriptor = reply->descriptor = socket_open(reply->family, SOCK_DGRAM, 0, device, &syscall);
	if (descriptor < 0) return syscall;
	/* Several sockets of one address share what comes in (SO_REUSEPORT), and one can be made before another has gone. */
	socket_set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
	socket_set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
	socket_set_receive_buffer(descriptor, 4 << 20);
	socket_set_send_buffer(descriptor, 4 << 20);
	static const struct in6_addr any;
	if (reply->family == AF_INET) {
		reply->is_wildcard = local.v4.sin_addr.s_addr == INADDR_ANY;
		if (reply->is_wildcard) socket_set(descriptor, SOL_IP, IP_PKTINFO, 1);
		/* Replies of more than the path takes are cut by us, not learned about by lost ones. */
		socket_set(descriptor, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	} else {
		reply->is_wildcard = memcmp(&local.v6.sin6_addr, &any, sizeof any) == 0;
		if (reply->is_wildcard) socket_set(descriptor, SOL_IPV6, IPV6_RECVPKTINFO, 1);
		socket_set(descriptor, SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	}
	int wait = (int)option_number(env, options, "waitMs");
	struct timeval time_out = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};
	if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time_out, sizeof time_out) < 0) return "setsockopt SO_RCVTIMEO";
	int flags = fcntl(descriptor, F_GETFL);
	if (flags < 0 || fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) < 0) return "fcntl";
	return bind(descriptor, &local.any, address_octets(reply->family)) < 0 ? "bind" : NULL;
}

static void close_reply(struct reply_socket *reply)
{
	if (reply->descriptor >= 0) close(reply->descriptor);
	free(reply);
}

static napi_value reply_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct arena *arena = handle_find(HANDLE_ARENA, argument_integer(&arguments, 0));
	char text[64];
	option_text(env, arguments.values[1], "address", text, sizeof text);
	if (arena == NULL) return throw_errno(env, text, "arena", EBADF);
	struct reply_socket *reply = calloc(1, sizeof *reply);
	if (reply == NULL) return throw_errno(env, text, "calloc", ENOMEM);
	reply->arena = arena;
	reply->descriptor = -1;
	const char *syscall = open_reply(reply, env, arguments.values[1], text);
	int error = syscall == NULL ? 0 : errno;
	int handle = error != 0 ? -1 : handle_add(HANDLE_REPLY, reply);
	if (error == 0 && handle < 0) error = EMFILE, syscall = "handle";
	if (error != 0) {
		close_reply(reply);
		return throw_errno(env, text, syscall, error);
	}
	return integer_value(env, handle);
}

static struct reply_socket *reply_of(const struct arguments *arguments)
{
	struct reply_socket *reply = handle_find(HANDLE_REPLY, argument_integer(arguments, 0));
	if (reply == NULL) throw_errno(arguments->env, "UDP socket", "handle", EBADF);
	return reply;
}

static napi_value reply_step(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct reply_socket *reply = reply_of(&arguments);
	if (reply == NULL) return NULL;
	struct span descriptors = argument_array(&arguments, 1);
	unsigned count = (unsigned)argument_integer(&arguments, 2);
	if (descriptors.count < (size_t)reply->slot_count * REPLY_STRIDE) return throw_errno(env, "UDP socket", "step", EINVAL);
	send_replies(reply, descriptors.data, count < reply->slot_count ? count : reply->slot_count);
	return integer_value(env, receive_requests(reply, descriptors.data));
}

static napi_value reply_failed(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct reply_socket *reply = reply_of(&arguments);
	return reply == NULL ? NULL : integer_value(env, (int32_t)reply->failed);
}

static napi_value reply_overruns(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct reply_socket *reply = reply_of(&arguments);
	return reply == NULL ? NULL : integer_value(env, (int32_t)socket_overruns(reply->descriptor));
}

static napi_value reply_close(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct reply_socket *reply = handle_remove(HANDLE_REPLY, argument_integer(&arguments, 0));
	if (reply == NULL) return throw_errno(env, "UDP socket", "handle", EBADF);
	close_reply(reply);
	return undefined_value(env);
}

static const struct function_entry functions[] = {
	{"replyOpen", reply_open},
	{"replyStep", reply_step},
	{"replyFailed", reply_failed},
	{"replyOverruns", reply_overruns},
	{"replyClose", reply_close},
};

void reply_socket_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
