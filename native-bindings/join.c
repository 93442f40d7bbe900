#include "join.h"

#include "checksum.h"

#define ETHERNET_OCTETS 14
#define TAG_OCTETS 4
#define IPV4_OCTETS 20
#define IPV6_OCTETS 40
#define UDP_OCTETS 8
#define TCP_OCTETS 20
#define TYPE_IPV4 0x0800
#define TYPE_TAGGED 0x8100
#define TYPE_IPV6 0x86dd
#define FRAGMENT_MASK 0x3fff /* more fragments, and the offset */
#define DONT_FRAGMENT 0x4000
#define TCP_ACK 0x10
#define TCP_PSH 0x08
#define UDP_CHECKSUM 6
#define TCP_CHECKSUM 16

/* What every kernel takes in one super-frame (UDP_MAX_SEGMENTS of linux/udp.h before 6.9, and the length of an IP packet). */
#define MAX_FRAMES 64
#define MAX_OCTETS 65000
/* Below a page the kernel keeps a super-frame in one piece, and each small frame that it cuts from it: that is worth more
 * than a longer train. */
#define SMALL_PAYLOAD_OCTETS 1024
#define SMALL_OCTETS 3900

/* The frame that is looked at. */
struct view {
	const uint8_t *frame;
	size_t network, transport, payload, end;
	bool is_ipv6, is_tcp;
	uint32_t flow;
};

enum finding {
	NO_FLOW,     /* it may belong to any */
	ONLY_FLOW,   /* of a flow, but it has to travel alone */
	JOINABLE,
};

static enum finding look_at_transport(struct view *view, size_t octets, bool own_udp)
{
	const uint8_t *frame = view->frame, *header = frame + view->transport;
	if (view->transport + UDP_OCTETS > view->end || view->end > octets) return NO_FLOW;
	const uint8_t *ip = frame + view->network;
	uint32_t ports, source, destination;
	memcpy(&ports, header, 4);
	memcpy(&source, ip + (view->is_ipv6 ? 20 : 12), 4);
	memcpy(&destination, ip + (view->is_ipv6 ? 36 : 16), 4);
	view->flow = (source * 0x9e3779b1u ^ destination * 0x85ebca77u ^ ports * 0xc2b2ae3du) >> 16;
	/* Octets behind the packet are padding, which no segment would have. */
	if (view->end != octets) return ONLY_FLOW;
	if (view->is_tcp) {
		if (view->transport + TCP_OCTETS > view->end) return ONLY_FLOW;
		size_t header_octets = (size_t)(header[12] >> 4) * 4;
		view->payload = view->transport + header_octets;
		if (header_octets < TCP_OCTETS || view->payload >= view->end) return ONLY_FLOW;
		if ((header[13] & ~TCP_PSH) != TCP_ACK || (header[12] & 0x0f) != 0) return ONLY_FLOW;
	} else {
		view->payload = view->transport + UDP_OCTETS;
		if (view->payload >= view->end || read16(header + 4) != view->end - view->transport) return ONLY_FLOW;
		if (own_udp) return JOINABLE;
		if (header[UDP_CHECKSUM] == 0 && header[UDP_CHECKSUM + 1] == 0) return ONLY_FLOW;
	}
	size_t covered = view->end - view->transport;
	uint64_t sum = pseudo_sum(ip, view->is_ipv6, view->is_tcp, covered);
	if (folded(sum_of_payload(header, covered, sum)) != 0xffff) return ONLY_FLOW;
	if (!view->is_ipv6 && folded(sum_of(ip, IPV4_OCTETS, 0)) != 0xffff) return ONLY_FLOW;
	return JOINABLE;
}

/* The type of what the frame carries, and in view->network where that begins. */
static uint16_t type_of(struct view *view, const uint8_t *frame, bool is_ip)
{
	view->network = is_ip ? 0 : ETHERNET_OCTETS;
	if (is_ip) return frame[0] >> 4 == 4 ? TYPE_IPV4 : frame[0] >> 4 == 6 ? TYPE_IPV6 : 0;
	uint16_t type = read16(frame + 12);
	if (type != TYPE_TAGGED) return type;
	view->network += TAG_OCTETS;
	return read16(frame + 16);
}

static enum finding look(struct view *view, const uint8_t *frame, size_t octets, bool is_ip, bool own_udp)
{
	view->frame = frame;
	if (octets < (is_ip ? 0 : ETHERNET_OCTETS + TAG_OCTETS) + IPV4_OCTETS || octets > UINT16_MAX) return NO_FLOW;
	uint16_t type = type_of(view, frame, is_ip);
	const uint8_t *ip = frame + view->network;
	uint8_t protocol;
	if (type == TYPE_IPV4) {
		if (ip[0] != 0x45 || view->network + IPV4_OCTETS > octets) return NO_FLOW;
		if ((read16(ip + 6) & FRAGMENT_MASK) != 0) return NO_FLOW;
		view->is_ipv6 = false;
		view->transport = view->network + IPV4_OCTETS;
		view->end = view->network + read16(ip + 2);
		protocol = ip[9];
	} else if (type == TYPE_IPV6) {
		if (ip[0] >> 4 != 6 || view->network + IPV6_OCTETS > octets) return NO_FLOW;
		view->is_ipv6 = true;
		view->transport = view->network + IPV6_OCTETS;
		view->end = view->transport + read16(ip + 4);
		protocol = ip[6];
	} else {
		return NO_FLOW;
	}
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) return NO_FLOW;
	view->is_tcp = protocol == IPPROTO_TCP;
	return look_at_transport(view, octets, own_udp);
}

/* Whether the headers differ in nothing but what the kernel counts up when it cuts. */
static bool has_equal_headers(const struct train *train, const uint8_t *first, const struct view *view)
{
	const uint8_t *frame = view->frame;
	if (train->network != view->network || train->payload != view->payload) return false;
	if (train->is_ipv6 != view->is_ipv6 || train->is_tcp != view->is_tcp) return false;
	if (memcmp(first, frame, view->network) != 0) return false;
	const uint8_t *a = first + view->network, *b = frame + view->network;
	if (view->is_ipv6) {
		if (memcmp(a, b, 4) != 0 || memcmp(a + 6, b + 6, IPV6_OCTETS - 6) != 0) return false;
	} else {
		/* Version, TOS; fragmentation, TTL, protocol; addresses. */
		if (memcmp(a, b, 2) != 0 || memcmp(a + 6, b + 6, 4) != 0 || memcmp(a + 12, b + 12, 8) != 0) return false;
		bool counts = (read16(a + 6) & DONT_FRAGMENT) == 0;
		if (counts && (uint16_t)(read16(a + 4) + train->frames) != read16(b + 4)) return false;
	}
	a = first + view->transport;
	b = frame + view->transport;
	if (memcmp(a, b, 4) != 0) return false;
	if (!view->is_tcp) return true;
	/* Acknowledgement and header length; window; urgent pointer and options. */
	if (memcmp(a + 8, b + 8, 5) != 0 || memcmp(a + 14, b + 14, 2) != 0) return false;
	return memcmp(a + 18, b + 18, view->payload - view->transport - 18) == 0;
}

static bool append(struct joiner *joiner, struct train *train, const struct view *view, int at)
{
	size_t payload = view->end - view->payload;
	size_t limit = train->segment_octets < SMALL_PAYLOAD_OCTETS ? SMALL_OCTETS : MAX_OCTETS;
	const uint8_t *tcp = view->frame + view->transport;
	if (train->frames == MAX_FRAMES || payload > train->segment_octets) return false;
	if (train->payload + train->payload_octets + payload > limit) return false;
	if (view->is_tcp && read32(tcp + 4) != train->next_sequence) return false;
	if (!has_equal_headers(train, joiner->frames[train->first], view)) return false;
	joiner->next[train->last] = (int16_t)at;
	train->last = (int16_t)at;
	train->frames++;
	train->payload_octets += (uint32_t)payload;
	train->next_sequence += (uint32_t)payload;
	train->ends_with_push = view->is_tcp && (tcp[13] & TCP_PSH) != 0;
	if (payload < train->segment_octets || train->ends_with_push) train->is_open = false;
	return true;
}

static struct train *begin(struct joiner *joiner, const uint8_t *frame, size_t octets)
{
	int at = joiner->added++;
	struct train *train = &joiner->trains[joiner->count++];
	*train = (struct train){.first = (int16_t)at, .last = (int16_t)at, .frames = 1};
	joiner->frames[at] = frame;
	joiner->octets[at] = (uint32_t)octets;
	joiner->next[at] = -1;
	return train;
}

/* Completes all trains. Where no frame can be joined, none is open. */
static void close_all(struct joiner *joiner)
{
	if (joiner->any_open) memset(joiner->open, 0, sizeof joiner->open);
	joiner->any_open = false;
}

void joiner_clear(struct joiner *joiner)
{
	joiner->count = joiner->added = 0;
	close_all(joiner);
}

void joiner_add_alone(struct joiner *joiner, const uint8_t *frame, size_t octets)
{
	close_all(joiner);
	begin(joiner, frame, octets);
}

void joiner_add(struct joiner *joiner, const uint8_t *frame, size_t octets, bool own_udp)
{
	struct view view;
	enum finding finding = look(&view, frame, octets, joiner->is_ip, own_udp);
	if (finding == JOINABLE && !(view.is_tcp ? joiner->joins_tcp : joiner->joins_udp)) finding = ONLY_FLOW;
	if (finding == NO_FLOW) {
		joiner_add_alone(joiner, frame, octets);
		return;
	}
	uint16_t *open = &joiner->open[view.flow & (JOIN_FLOWS - 1)];
	if (finding == JOINABLE && *open != 0) {
		struct train *train = &joiner->trains[*open - 1];
		if (append(joiner, train, &view, joiner->added)) {
			int at = joiner->added++;
			joiner->frames[at] = frame;
			joiner->octets[at] = (uint32_t)octets;
			joiner->next[at] = -1;
			if (!train->is_open) *open = 0;
			return;
		}
	}
	/* A train of the flow, or of another in its place, that this frame does not fit is complete. */
	struct train *train = begin(joiner, frame, octets);
	*open = 0;
	if (finding != JOINABLE) return;
	const uint8_t *tcp = frame + view.transport;
	train->network = (uint16_t)view.network;
	train->transport = (uint16_t)view.transport;
	train->payload = (uint16_t)view.payload;
	train->is_ipv6 = view.is_ipv6;
	train->is_tcp = view.is_tcp;
	train->payload_octets = (uint32_t)(view.end - view.payload);
	train->segment_octets = (uint16_t)train->payload_octets;
	train->is_open = !view.is_tcp || (tcp[13] & TCP_PSH) == 0;
	if (view.is_tcp) train->next_sequence = read32(tcp + 4) + train->payload_octets;
	if (!train->is_open) return;
	*open = (uint16_t)joiner->count;
	joiner->any_open = true;
}

const uint8_t *joiner_render(struct joiner *joiner, int number)
{
	const struct train *train = &joiner->trains[number];
	uint8_t *header = joiner->headers[number];
	uint8_t *ip = header + train->network, *transport = header + train->transport;
	memcpy(header, joiner->frames[train->first], train->payload);
	uint32_t transport_octets = train->payload - train->transport + train->payload_octets;
	if (train->is_ipv6) {
		write16(ip + 4, transport_octets);
	} else {
		write16(ip + 2, IPV4_OCTETS + transport_octets);
		memset(ip + 10, 0, 2);
		uint16_t checksum = (uint16_t)~folded(sum_of(ip, IPV4_OCTETS, 0));
		memcpy(ip + 10, &checksum, 2);
	}
	if (train->is_tcp) {
		if (train->ends_with_push) transport[13] |= TCP_PSH;
	} else {
		write16(transport + 4, transport_octets);
	}
	uint16_t pseudo = folded(pseudo_sum(ip, train->is_ipv6, train->is_tcp, transport_octets));
	memcpy(transport + (train->is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM), &pseudo, 2);
	return header;
}
