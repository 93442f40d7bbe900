/* A UDP socket of a server (server_socket.c): requests are received in a batch into slots of the arena, and replies, which take their place in the
 * slots, are sent in a batch from the address that was asked. One call sends the replies of the batch before and waits for the
 * next one, so a thread does nothing but this call and what it makes of the batch. */
#include "reply_groups.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Words of a descriptor: src/native/addon.ts. */
enum { REPLY_OCTETS, REPLY_PORT, REPLY_ADDRESS, REPLY_LOCAL = 6, REPLY_STRIDE = 10 };
/* What a step does besides sending: src/native/addon.ts. */
enum { STEP_SEND_ONLY, STEP_TAKE, STEP_WAIT };

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
	struct iovec pieces[MAX_SLOTS];
	union address senders[MAX_SLOTS];
	struct place_control controls[MAX_SLOTS];
	struct reply_datagram replies[MAX_SLOTS];
	struct reply_groups groups;
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
		struct msghdr *header = &reply->messages[i].msg_hdr;
		if (reply->is_wildcard) forget_interface(header);
		reply->replies[wanted++] = (struct reply_datagram){header, reply->pieces[i].iov_base, (size_t)octets};
	}
	reply_groups_fill(&reply->groups, reply->replies, wanted);
	reply->failed += reply_groups_send(&reply->groups, reply->descriptor);
}

/* The address that a request came to. */
static void describe_local(struct msghdr *message, int32_t *words)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level == SOL_IP && control->cmsg_type == IP_PKTINFO) {
			memcpy(words, &((struct in_pktinfo *)CMSG_DATA(control))->ipi_addr, sizeof(struct in_addr));
		} else if (control->cmsg_level == SOL_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
			memcpy(words, &((struct in6_pktinfo *)CMSG_DATA(control))->ipi6_addr, sizeof(struct in6_addr));
		}
	}
}

/* Takes a batch, and waits for one no longer than the socket's time-out; returns how many came. */
static int receive_requests(struct reply_socket *reply, int32_t *descriptors, bool waits)
{
	for (unsigned i = 0; i < reply->slot_count; i++) {
		struct msghdr *message = &reply->messages[i].msg_hdr;
		message->msg_namelen = sizeof reply->senders[i];
		if (!reply->is_wildcard) continue;
		message->msg_control = reply->controls[i].octets;
		message->msg_controllen = sizeof reply->controls[i].octets;
	}
	int count = recvmmsg(reply->descriptor, reply->messages, reply->slot_count, waits ? MSG_WAITFORONE : MSG_DONTWAIT, NULL);
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
		if (reply->is_wildcard) describe_local(&reply->messages[i].msg_hdr, descriptor + REPLY_LOCAL);
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

/* Takes over the socket `reply->descriptor`; returns what failed, or NULL. */
static const char *open_reply(struct reply_socket *reply, napi_env env, napi_value options)
{
	union address local;
	socklen_t length = sizeof local;
	if (getsockname(reply->descriptor, &local.any, &length) < 0) return "getsockname";
	static const struct in6_addr any;
	reply->family = local.any.sa_family;
	reply->is_wildcard = reply->family == AF_INET ? local.v4.sin_addr.s_addr == INADDR_ANY
						      : memcmp(&local.v6.sin6_addr, &any, sizeof any) == 0;
	reply->slots_offset = (size_t)option_number(env, options, "slotsOffset");
	reply->slot_octets = (size_t)option_number(env, options, "slotOctets");
	reply->slot_count = (unsigned)option_number(env, options, "slots");
	if (reply->slot_count > MAX_SLOTS) reply->slot_count = MAX_SLOTS;
	prepare_slots(reply);
	int wait = (int)option_number(env, options, "waitMs");
	struct timeval time_out = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};
	if (setsockopt(reply->descriptor, SOL_SOCKET, SO_RCVTIMEO, &time_out, sizeof time_out) < 0) return "setsockopt";
	int flags = fcntl(reply->descriptor, F_GETFL);
	return flags < 0 || fcntl(reply->descriptor, F_SETFL, flags & ~O_NONBLOCK) < 0 ? "fcntl" : NULL;
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
	int descriptor = argument_integer(&arguments, 1);
	if (arena == NULL) {
		close(descriptor);
		return throw_errno(env, "UDP socket", "arena", EBADF);
	}
	struct reply_socket *reply = calloc(1, sizeof *reply);
	if (reply == NULL) {
		close(descriptor);
		return throw_errno(env, "UDP socket", "calloc", ENOMEM);
	}
	reply->arena = arena;
	reply->descriptor = descriptor;
	const char *syscall = open_reply(reply, env, arguments.values[2]);
	int error = syscall == NULL ? 0 : errno;
	int handle = error != 0 ? -1 : handle_add(HANDLE_REPLY, reply);
	if (error == 0 && handle < 0) error = EMFILE, syscall = "handle";
	if (error != 0) {
		close_reply(reply);
		return throw_errno(env, "UDP socket", syscall, error);
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
	int mode = argument_integer(&arguments, 3);
	if (mode == STEP_SEND_ONLY) return integer_value(env, 0);
	return integer_value(env, receive_requests(reply, descriptors.data, mode == STEP_WAIT));
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

/* Sends a reply that took longer than its batch, from whichever thread. */
static napi_value reply_send(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct reply_socket *reply = reply_of(&arguments);
	if (reply == NULL) return NULL;
	struct span octets = argument_array(&arguments, 1);
	struct span words = argument_array(&arguments, 2);
	if (words.count < REPLY_STRIDE) return throw_errno(env, "UDP socket", "replySend", EINVAL);
	const int32_t *descriptor = words.data;
	union address to = {.any = {.sa_family = (sa_family_t)reply->family}};
	struct place_control control = {{0}};
	struct iovec piece = {octets.data, octets.count};
	struct msghdr message = {
		.msg_name = &to, .msg_namelen = address_octets(reply->family), .msg_iov = &piece, .msg_iovlen = 1};
	if (reply->is_wildcard) message.msg_control = control.octets;
	struct cmsghdr *head = (struct cmsghdr *)control.octets;
	if (reply->family == AF_INET) {
		to.v4.sin_port = htons((uint16_t)descriptor[REPLY_PORT]);
		memcpy(&to.v4.sin_addr, descriptor + REPLY_ADDRESS, sizeof to.v4.sin_addr);
		*head = (struct cmsghdr){CMSG_LEN(sizeof(struct in_pktinfo)), SOL_IP, IP_PKTINFO};
		struct in_pktinfo *info_of = (struct in_pktinfo *)CMSG_DATA(head);
		memcpy(&info_of->ipi_spec_dst, descriptor + REPLY_LOCAL, sizeof info_of->ipi_spec_dst);
		if (reply->is_wildcard) message.msg_controllen = CMSG_SPACE(sizeof *info_of);
	} else {
		to.v6.sin6_port = htons((uint16_t)descriptor[REPLY_PORT]);
		memcpy(&to.v6.sin6_addr, descriptor + REPLY_ADDRESS, sizeof to.v6.sin6_addr);
		*head = (struct cmsghdr){CMSG_LEN(sizeof(struct in6_pktinfo)), SOL_IPV6, IPV6_PKTINFO};
		memcpy(&((struct in6_pktinfo *)CMSG_DATA(head))->ipi6_addr, descriptor + REPLY_LOCAL, sizeof(struct in6_addr));
		if (reply->is_wildcard) message.msg_controllen = CMSG_SPACE(sizeof(struct in6_pktinfo));
	}
	return integer_value(env, sendmsg(reply->descriptor, &message, MSG_DONTWAIT) < 0 ? -1 : 0);
}

static napi_value reply_descriptor(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct reply_socket *reply = reply_of(&arguments);
	return reply == NULL ? NULL : integer_value(env, reply->descriptor);
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
	{"replySend", reply_send},
	{"replyDescriptor", reply_descriptor},
	{"replyFailed", reply_failed},
	{"replyOverruns", reply_overruns},
	{"replyClose", reply_close},
};

void reply_socket_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
