#include "reply_groups.h"

#include <netinet/udp.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
	/* What one message may hold: 64 segments everywhere, and a packet of the largest size. */
	MAX_SEGMENTS = 64,
	MAX_GROUP_OCTETS = 60000,
	/* Larger replies leave alone: a segment must fit the MTU of the way, 1280 octets at least with IPv6. */
	MAX_SEGMENT_OCTETS = 1200,
	/* So many refusals in a row, and it is not tried any more. */
	MAX_REFUSALS = 16,
	TABLE_SIZE = 2 * MAX_SLOTS,
};

static bool is_same_way(const struct msghdr *a, const struct msghdr *b)
{
	return a->msg_namelen == b->msg_namelen && memcmp(a->msg_name, b->msg_name, a->msg_namelen) == 0 &&
	       a->msg_controllen == b->msg_controllen &&
	       (a->msg_controllen == 0 || memcmp(a->msg_control, b->msg_control, a->msg_controllen) == 0);
}

static unsigned hash_of(const struct reply_datagram *reply)
{
	const union address *client = reply->header->msg_name;
	uint32_t word = client->any.sa_family == AF_INET ? client->v4.sin_addr.s_addr : client->v6.sin6_addr.s6_addr32[3];
	/* The port stands in the same place in both. */
	return (word ^ client->v4.sin_port * 0x9e3779b1u ^ (uint32_t)reply->octets * 0x85ebca6bu) * 0xc2b2ae35u >> 16;
}

/* The message that a reply joins, which may be a new one. */
static unsigned message_for(struct reply_groups *groups, uint16_t *table, const struct reply_datagram *replies, unsigned index)
{
	const struct reply_datagram *reply = &replies[index];
	bool is_alone = groups->is_off || reply->octets > MAX_SEGMENT_OCTETS;
	unsigned slot = hash_of(reply) % TABLE_SIZE;
	for (; !is_alone && table[slot] != 0; slot = (slot + 1) % TABLE_SIZE) {
		unsigned message = table[slot] - 1u;
		const struct reply_datagram *first = &replies[groups->firsts[message]];
		if (first->octets != reply->octets || !is_same_way(first->header, reply->header)) continue;
		unsigned size = groups->sizes[message];
		if (size < MAX_SEGMENTS && (size + 1) * reply->octets <= MAX_GROUP_OCTETS) return message;
		break; /* It is full: another one takes its place. */
	}
	unsigned message = groups->count++;
	groups->firsts[message] = index;
	groups->sizes[message] = 0;
	if (!is_alone) table[slot] = (uint16_t)(message + 1);
	return message;
}

/* Says behind the local address, if that is said, how large segments are. */
static void set_segment_octets(struct reply_groups *groups, unsigned message, size_t octets)
{
	struct msghdr *header = &groups->messages[message].msg_hdr;
	uint8_t *control = groups->controls[message].octets;
	size_t before = header->msg_controllen;
	if (before > 0) memcpy(control, header->msg_control, before);
	struct cmsghdr *segment = (struct cmsghdr *)(control + before);
	*segment = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(uint16_t)), .cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT};
	memcpy(CMSG_DATA(segment), &(uint16_t){(uint16_t)octets}, sizeof(uint16_t));
	header->msg_control = control;
	header->msg_controllen = before + CMSG_SPACE(sizeof(uint16_t));
}

void reply_groups_fill(struct reply_groups *groups, const struct reply_datagram *replies, unsigned count)
{
	uint16_t table[TABLE_SIZE] = {0};
	groups->count = 0;
	for (unsigned i = 0; i < count; i++) {
		unsigned message = message_for(groups, table, replies, i);
		groups->message_of[i] = (uint16_t)message;
		groups->sizes[message]++;
	}
	unsigned used = 0;
	for (unsigned message = 0; message < groups->count; message++) {
		const struct reply_datagram *first = &replies[groups->firsts[message]];
		struct msghdr *header = &groups->messages[message].msg_hdr;
		*header = *first->header;
		header->msg_flags = 0;
		header->msg_iov = &groups->pieces[used];
		header->msg_iovlen = 0;
		used += groups->sizes[message];
		if (groups->sizes[message] > 1) set_segment_octets(groups, message, first->octets);
	}
	for (unsigned i = 0; i < count; i++) {
		struct msghdr *header = &groups->messages[groups->message_of[i]].msg_hdr;
		header->msg_iov[header->msg_iovlen++] = (struct iovec){replies[i].start, replies[i].octets};
	}
}

/* Each reply of a message by itself; returns how many the kernel did not take. */
static unsigned send_singly(struct reply_groups *groups, unsigned message, int descriptor)
{
	struct msghdr header = groups->messages[message].msg_hdr;
	unsigned count = (unsigned)header.msg_iovlen;
	unsigned failed = 0;
	if (count > 1) header.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
	if (header.msg_controllen == 0) header.msg_control = NULL;
	for (unsigned i = 0; i < count; i++) {
		struct msghdr one = header;
		one.msg_iov = &header.msg_iov[i];
		one.msg_iovlen = 1;
		ssize_t sent;
		do sent = sendmsg(descriptor, &one, 0);
		while (sent < 0 && errno == EINTR);
		/* No route, or a full queue: the client asks again. */
		if (sent < 0) failed++;
	}
	return failed;
}

unsigned reply_groups_send(struct reply_groups *groups, int descriptor)
{
	unsigned failed = 0;
	for (unsigned sent = 0; sent < groups->count;) {
		int done = sendmmsg(descriptor, groups->messages + sent, groups->count - sent, 0);
		if (done > 0) {
			for (unsigned i = sent; i < sent + (unsigned)done; i++)
				if (groups->sizes[i] > 1) groups->refusals = 0;
			sent += (unsigned)done;
			continue;
		}
		if (errno == EINTR) continue;
		/* A small MTU, a policy of IPsec, an old kernel: what does not go at once may go one by one. */
		if (groups->sizes[sent] > 1) {
			failed += send_singly(groups, sent, descriptor);
			groups->is_off = ++groups->refusals >= MAX_REFUSALS;
		} else {
			failed++;
		}
		sent++;
	}
	return failed;
}
