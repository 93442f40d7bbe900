#include "socket_batch.h"

#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* Receiving. */

void receive_batch_open(struct receive_batch *batch, int family, const struct arena *arena, napi_env env,
			napi_value options, size_t offset)
{
	batch->family = family;
	batch->slots = arena->base + (size_t)option_number(env, options, "slotsOffset");
	batch->slot_octets = (size_t)option_number(env, options, "slotOctets");
	batch->slot_count = (unsigned)option_number(env, options, "slots");
	if (batch->slot_count > MAX_SLOTS) batch->slot_count = MAX_SLOTS;
	for (unsigned i = 0; i < batch->slot_count; i++) {
		uint8_t *slot = batch->slots + i * batch->slot_octets;
		batch->pieces[i] = (struct iovec){slot + offset, batch->slot_octets - offset};
		batch->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &batch->senders[i],
			.msg_namelen = sizeof batch->senders[i],
			.msg_iov = &batch->pieces[i],
			.msg_iovlen = 1,
			.msg_control = &batch->controls[i],
			.msg_controllen = sizeof batch->controls[i],
		};
	}
}

int receive_batch_take(struct receive_batch *batch, int descriptor, int max)
{
	unsigned limit = (unsigned)max < batch->slot_count ? (unsigned)max : batch->slot_count;
	for (unsigned i = 0; i < batch->slots_used; i++) {
		batch->messages[i].msg_hdr.msg_controllen = sizeof batch->controls[i];
		batch->messages[i].msg_hdr.msg_namelen = sizeof batch->senders[i];
	}
	int count = -1;
	for (int attempt = 0; attempt < 4 && count < 0; attempt++) {
		/* ECONNREFUSED and its like concern what was sent earlier, and are reported once. */
		count = recvmmsg(descriptor, batch->messages, limit, MSG_DONTWAIT, NULL);
		if (count < 0 && errno == EAGAIN) break;
	}
	if (count < 0) count = 0;
	batch->slots_used = (unsigned)count;
	return count;
}

void receive_batch_describe(const struct receive_batch *batch, unsigned at, const struct arena *arena, int32_t *descriptor)
{
	struct msghdr *header = (struct msghdr *)&batch->messages[at].msg_hdr;
	const union address *sender = &batch->senders[at];
	uint32_t octets = batch->messages[at].msg_len, segment = octets, tos = 0, ttl = 0;
	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
		int value = 0;
		if (control->cmsg_level == SOL_IP && control->cmsg_type == IP_TOS) {
			tos = *CMSG_DATA(control);
			continue;
		}
		memcpy(&value, CMSG_DATA(control), sizeof value);
		if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) segment = (uint32_t)value;
		else if (control->cmsg_level == SOL_IP && control->cmsg_type == IP_TTL) ttl = (uint32_t)value;
		else if (control->cmsg_level == SOL_IPV6 && control->cmsg_type == IPV6_TCLASS) tos = (uint32_t)value;
		else if (control->cmsg_level == SOL_IPV6 && control->cmsg_type == IPV6_HOPLIMIT) ttl = (uint32_t)value;
	}
	descriptor[WORD_OFFSET] = (int32_t)((uint8_t *)batch->pieces[at].iov_base - arena->base);
	descriptor[WORD_OCTETS] = (int32_t)octets;
	descriptor[WORD_SEGMENT] = (int32_t)segment;
	uint32_t port = ntohs(batch->family == AF_INET ? sender->v4.sin_port : sender->v6.sin6_port);
	descriptor[WORD_OTHER] = (int32_t)(port | (tos & 0xff) << 16 | (ttl & 0xff) << 24);
	if (batch->family == AF_INET) {
		memset(descriptor + WORD_ADDRESS, 0, 3 * sizeof *descriptor);
		descriptor[WORD_ADDRESS + 3] = (int32_t)ntohl(sender->v4.sin_addr.s_addr);
	} else {
		for (int i = 0; i < 4; i++)
			descriptor[WORD_ADDRESS + i] = (int32_t)ntohl(sender->v6.sin6_addr.s6_addr32[i]);
	}
}

void receive_batch_close(struct receive_batch *batch)
{
	if (batch->slots != NULL) madvise(batch->slots, batch->slot_octets * batch->slot_count, MADV_DONTNEED);
}

/* Addresses. */

socklen_t address_octets(int family) { return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6); }

/* Whether it must be bound together with the link. */
static bool is_link_local(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_MC_LINKLOCAL(address);
}

int address_read(union address *into, int family, const char *text, uint16_t port, const char *device)
{
	memset(into, 0, sizeof *into);
	into->any.sa_family = (sa_family_t)family;
	void *octets = family == AF_INET6 ? (void *)&into->v6.sin6_addr : (void *)&into->v4.sin_addr;
	if (inet_pton(family, text, octets) != 1) return EINVAL;
	if (family == AF_INET) {
		into->v4.sin_port = htons(port);
		return 0;
	}
	into->v6.sin6_port = htons(port);
	if (is_link_local(&into->v6.sin6_addr)) into->v6.sin6_scope_id = if_nametoindex(device);
	return 0;
}

void address_of_words(union address *into, int family, const int32_t *descriptor)
{
	uint16_t port = htons((uint16_t)descriptor[WORD_OTHER]);
	if (family == AF_INET) {
		into->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		into->v4.sin_addr.s_addr = htonl((uint32_t)descriptor[WORD_ADDRESS + 3]);
		return;
	}
	into->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
	for (int i = 0; i < 4; i++)
		into->v6.sin6_addr.s6_addr32[i] = htonl((uint32_t)descriptor[WORD_ADDRESS + i]);
}

/* Sockets. */

void socket_set(int descriptor, int level, int option, int value)
{
	setsockopt(descriptor, level, option, &value, sizeof value);
}

static void set_buffer(int descriptor, int force, int plain, int octets)
{
	if (setsockopt(descriptor, SOL_SOCKET, force, &octets, sizeof octets) < 0)
		setsockopt(descriptor, SOL_SOCKET, plain, &octets, sizeof octets);
}

void socket_set_receive_buffer(int descriptor, int octets) { set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, octets); }

void socket_set_send_buffer(int descriptor, int octets) { set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, octets); }

int socket_open(int family, int type, int protocol, const char *device, const char **syscall)
{
	int descriptor = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	*syscall = "socket";
	if (descriptor < 0) return -1;
	if (family == AF_INET6) socket_set(descriptor, SOL_IPV6, IPV6_V6ONLY, 1);
	*syscall = "setsockopt SO_BINDTODEVICE";
	if (device[0] != '\0' &&
	    setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1) < 0) {
		int error = errno;
		close(descriptor);
		errno = error;
		return -1;
	}
	return descriptor;
}

const char *socket_join_group(int descriptor, int family, const union address *group, const char *device)
{
	unsigned index = if_nametoindex(device);
	if (index == 0) return "if_nametoindex";
	if (setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1) < 0)
		return "setsockopt SO_BINDTODEVICE";
	if (family == AF_INET) {
		struct ip_mreqn wanted = {.imr_multiaddr = group->v4.sin_addr, .imr_ifindex = (int)index};
		if (setsockopt(descriptor, SOL_IP, IP_ADD_MEMBERSHIP, &wanted, sizeof wanted) < 0)
			return "setsockopt IP_ADD_MEMBERSHIP";
	} else {
		struct ipv6_mreq wanted = {.ipv6mr_multiaddr = group->v6.sin6_addr, .ipv6mr_interface = index};
		if (setsockopt(descriptor, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &wanted, sizeof wanted) < 0)
			return "setsockopt IPV6_ADD_MEMBERSHIP";
	}
	return NULL;
}

void socket_configure_sending(int descriptor, int family, int ttl, bool dont_fragment)
{
	socket_set_send_buffer(descriptor, 8 << 20);
	if (family == AF_INET) {
		socket_set(descriptor, SOL_IP, IP_MTU_DISCOVER, dont_fragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
		if (ttl > 0) socket_set(descriptor, SOL_IP, IP_TTL, ttl);
	} else {
		socket_set(descriptor, SOL_IPV6, IPV6_MTU_DISCOVER,
			   dont_fragment ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
		if (ttl > 0) socket_set(descriptor, SOL_IPV6, IPV6_UNICAST_HOPS, ttl);
	}
}

void socket_configure_multicast(int descriptor, int family, int ttl, const char *device)
{
	unsigned index = device[0] != '\0' ? if_nametoindex(device) : 0;
	if (family == AF_INET) {
		struct ip_mreqn by = {.imr_ifindex = (int)index};
		if (index != 0) setsockopt(descriptor, SOL_IP, IP_MULTICAST_IF, &by, sizeof by);
		if (ttl > 0) socket_set(descriptor, SOL_IP, IP_MULTICAST_TTL, ttl);
		socket_set(descriptor, SOL_IP, IP_MULTICAST_LOOP, 0);
	} else {
		if (index != 0) socket_set(descriptor, SOL_IPV6, IPV6_MULTICAST_IF, (int)index);
		if (ttl > 0) socket_set(descriptor, SOL_IPV6, IPV6_MULTICAST_HOPS, ttl);
		socket_set(descriptor, SOL_IPV6, IPV6_MULTICAST_LOOP, 0);
	}
}

size_t control_add_tos(uint8_t *control, size_t used, int family, int tos)
{
	if (tos == 0) return used;
	struct cmsghdr *header = (struct cmsghdr *)(control + used);
	header->cmsg_level = family == AF_INET ? SOL_IP : SOL_IPV6;
	header->cmsg_type = family == AF_INET ? IP_TOS : IPV6_TCLASS;
	header->cmsg_len = CMSG_LEN(sizeof tos);
	memcpy(CMSG_DATA(header), &tos, sizeof tos);
	return used + CMSG_SPACE(sizeof tos);
}

unsigned socket_send(int descriptor, struct mmsghdr *messages, unsigned count)
{
	unsigned sent = 0;
	while (sent < count) {
		int more = sendmmsg(descriptor, messages + sent, count - sent, MSG_DONTWAIT);
		if (more < 0 && errno == EINTR) continue;
		if (more <= 0) {
			last_error = errno;
			break;
		}
		sent += (unsigned)more;
	}
	return sent;
}

uint32_t socket_overruns(int descriptor)
{
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, memory, &(socklen_t){sizeof memory});
	return memory[SK_MEMINFO_DROPS];
}
