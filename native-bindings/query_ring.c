/* Frames of questions straight from a device, for servers: a TPACKET_V2 ring that a classic BPF program fills with what is
 * wanted. One call sends the replies of the batch before and waits for the next one.
 *
 * Frames are copied out of the ring, into slots of the arena that have room for the reply to each: a question has a hundred
 * octets, and the ring keeps all of its places. How to wait depends on the load: poll wakes at once, but costs more than
 * answering does, so where frames come all the time the thread sleeps a little and takes what has gathered. */
#include "socket_batch.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Words of a descriptor and flags: src/native/addon.ts. */
enum { QUERY_OCTETS, QUERY_FLAGS, QUERY_STRIDE };
enum { QUERY_CHECKSUM_PARTIAL = 1, QUERY_CHECKSUM_VERIFIED = 2 };

/* A frame in a slot starts here, so that its IP header is at a word boundary. */
#define SLOT_FRAME 2
#define RING_FRAME_OCTETS 1024
#define RING_FRAMES 1024
#define RING_BLOCK_OCTETS 65536
#define LINE_OCTETS 64
#define FETCHED_AHEAD 6

#define LOAD_WINDOW_NS 10000000
/* Frames of a window, that is 60,000 a second. */
#define LOAD_THRESHOLD 600
#define LOAD_SLEEP_NS 50000

struct query_ring {
	struct arena *arena;
	int descriptor;
	uint8_t *ring;
	unsigned next; /* place of the ring that is filled next */
	uint8_t *slots;
	size_t slot_octets;
	unsigned slot_count;
	int wait_ms;
	int64_t window_start_ns;
	unsigned window_frames;
	bool is_loaded;
	bool has_fine_sleep;
	uint32_t failed; /* replies that the device did not take */
	uint32_t overruns;
	struct mmsghdr sending[MAX_SLOTS];
	struct iovec pieces[MAX_SLOTS];
};

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Sends what stands in the slots of the last batch; a descriptor of 0 octets has no reply. */
static void send_replies(struct query_ring *ring, const int32_t *descriptors, unsigned count)
{
	unsigned wanted = 0;
	for (unsigned i = 0; i < count; i++) {
		int32_t octets = descriptors[i * QUERY_STRIDE + QUERY_OCTETS];
		if (octets <= 0 || (size_t)octets > ring->slot_octets - SLOT_FRAME) continue;
		ring->pieces[wanted++] = (struct iovec){ring->slots + i * ring->slot_octets + SLOT_FRAME, (size_t)octets};
	}
	for (unsigned sent = 0; sent < wanted;) {
		int done = sendmmsg(ring->descriptor, ring->sending + sent, wanted - sent, MSG_DONTWAIT);
		if (done > 0) {
			sent += (unsigned)done;
		} else if (errno != EINTR) {
			/* That one is lost, as on a wire. The sender asks again. */
			ring->failed++;
			sent++;
		}
	}
}

static struct tpacket2_hdr *place(struct query_ring *ring)
{
	return (struct tpacket2_hdr *)(ring->ring + (size_t)ring->next * RING_FRAME_OCTETS);
}

static bool is_filled(struct query_ring *ring)
{
	return (__atomic_load_n(&place(ring)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) != 0;
}

/* Has the cache fetch a place that will be copied soon: another core wrote it, and a frame is copied in less time than it takes to come. */
static void fetch_place(const struct query_ring *ring, unsigned number)
{
	const uint8_t *octets = ring->ring + (size_t)(number % RING_FRAMES) * RING_FRAME_OCTETS;
	/* The head, which is written when the place is given back, and a question with what is in front of it. */
	__builtin_prefetch(octets, 1);
	__builtin_prefetch(octets + LINE_OCTETS, 0);
	__builtin_prefetch(octets + 2 * LINE_OCTETS, 0);
}

static int take_frames(struct query_ring *ring, int32_t *descriptors)
{
	unsigned count = 0;
	for (unsigned ahead = 0; ahead < FETCHED_AHEAD; ahead++) fetch_place(ring, ring->next + ahead);
	for (; count < ring->slot_count && is_filled(ring); count++, descriptors += QUERY_STRIDE) {
		struct tpacket2_hdr *header = place(ring);
		fetch_place(ring, ring->next + FETCHED_AHEAD);
		uint8_t *slot = ring->slots + count * ring->slot_octets + SLOT_FRAME;
		size_t octets = header->tp_snaplen;
		if (octets > ring->slot_octets - SLOT_FRAME) octets = ring->slot_octets - SLOT_FRAME;
		memcpy(slot, (uint8_t *)header + header->tp_mac, octets);
		uint32_t status = header->tp_status;
		descriptors[QUERY_OCTETS] = (int32_t)octets;
		descriptors[QUERY_FLAGS] = (status & TP_STATUS_CSUMNOTREADY) != 0 ? QUERY_CHECKSUM_PARTIAL
					   : (status & TP_STATUS_CSUM_VALID) != 0 ? QUERY_CHECKSUM_VERIFIED
										   : 0;
		__atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		ring->next = (ring->next + 1) % RING_FRAMES;
	}
	ring->window_frames += count;
	return (int)count;
}

static void measure_load(struct query_ring *ring, int64_t now)
{
	int64_t passed = now - ring->window_start_ns;
	if (passed < LOAD_WINDOW_NS) return;
	ring->is_loaded = (int64_t)ring->window_frames * LOAD_WINDOW_NS > (int64_t)LOAD_THRESHOLD * passed;
	ring->window_start_ns = now;
	ring->window_frames = 0;
}

/* Sleeps a little, as exactly as the kernel can: by default it adds as much again. */
static void sleep_a_little(struct query_ring *ring)
{
	if (!ring->has_fine_sleep) prctl(PR_SET_TIMERSLACK, 1000);
	ring->has_fine_sleep = true;
	nanosleep(&(struct timespec){.tv_nsec = LOAD_SLEEP_NS}, NULL);
}

/* Whether the socket has lost its device for good; one that is only down comes back. */
static bool has_lost_device(int descriptor)
{
	struct sockaddr_ll local = {.sll_ifindex = -1};
	return getsockname(descriptor, (struct sockaddr *)&local, &(socklen_t){sizeof local}) < 0 || local.sll_ifindex <= 0;
}

/* Waits for frames, no longer than the time of a step; false when there will be no more. */
static bool wait_for_frames(struct query_ring *ring)
{
	int64_t begin = now_ns();
	measure_load(ring, begin);
	int64_t end = begin + (int64_t)ring->wait_ms * 1000000;
	while (!is_filled(ring)) {
		int64_t now = now_ns();
		measure_load(ring, now);
		if (now >= end) return !has_lost_device(ring->descriptor);
		if (ring->is_loaded) {
			sleep_a_little(ring);
			continue;
		}
		struct pollfd waiting = {.fd = ring->descriptor, .events = POLLIN};
		poll(&waiting, 1, (int)((end - now) / 1000000) + 1);
		/* The device went down; read, or poll says so again and again. */
		if ((waiting.revents & POLLERR) != 0)
			getsockopt(ring->descriptor, SOL_SOCKET, SO_ERROR, &(int){0}, &(socklen_t){sizeof(int)});
	}
	return true;
}

static int set(int descriptor, int option, int value)
{
	return setsockopt(descriptor, SOL_PACKET, option, &value, sizeof value);
}

/* `filter`: struct sock_filter as it is in memory. */
static const char *open_ring(struct query_ring *ring, const char *device, struct span filter)
{
	if (ring->descriptor < 0) ring->descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int descriptor = ring->descriptor;
	if (descriptor < 0) return "socket";
	/* Names are those of the socket's own network namespace. */
	struct ifreq request = {.ifr_ifindex = 0};
	memcpy(request.ifr_name, device, strnlen(device, sizeof request.ifr_name - 1));
	if (ioctl(descriptor, SIOCGIFINDEX, &request) < 0) return "ioctl SIOCGIFINDEX";
	int index = request.ifr_ifindex;

	struct sock_fprog program = {
		.len = (unsigned short)(filter.count / sizeof(struct sock_filter)), .filter = filter.data};
	if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
		return "setsockopt SO_ATTACH_FILTER";
	if (set(descriptor, PACKET_VERSION, TPACKET_V2) < 0) return "setsockopt PACKET_VERSION";
	if (set(descriptor, PACKET_IGNORE_OUTGOING, 1) < 0) return "setsockopt PACKET_IGNORE_OUTGOING";
	if (set(descriptor, PACKET_QDISC_BYPASS, 1) < 0) return "setsockopt PACKET_QDISC_BYPASS";
	struct tpacket_req wanted = {
		.tp_block_size = RING_BLOCK_OCTETS,
		.tp_block_nr = RING_FRAMES * RING_FRAME_OCTETS / RING_BLOCK_OCTETS,
		.tp_frame_size = RING_FRAME_OCTETS,
		.tp_frame_nr = RING_FRAMES,
	};
	if (setsockopt(descriptor, SOL_PACKET, PACKET_RX_RING, &wanted, sizeof wanted) < 0) return "setsockopt PACKET_RX_RING";
	void *memory =
		mmap(NULL, RING_FRAMES * RING_FRAME_OCTETS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, 0);
	if (memory == MAP_FAILED) return "mmap";
	ring->ring = memory;
	socket_set_send_buffer(descriptor, 4 << 20);
	struct sockaddr_ll local = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
	return bind(descriptor, (struct sockaddr *)&local, sizeof local) < 0 ? "bind" : NULL;
}

static void close_ring(struct query_ring *ring)
{
	if (ring->ring != NULL) munmap(ring->ring, RING_FRAMES * RING_FRAME_OCTETS);
	if (ring->descriptor >= 0) close(ring->descriptor);
	free(ring);
}

static napi_value query_ring_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	napi_value options = arguments.values[1];
	struct arena *arena = handle_find(HANDLE_ARENA, argument_integer(&arguments, 0));
	char device[IF_NAMESIZE];
	option_text(env, options, "device", device, sizeof device);
	if (arena == NULL) return throw_errno(env, device, "arena", EBADF);
	struct query_ring *ring = calloc(1, sizeof *ring);
	if (ring == NULL) return throw_errno(env, device, "calloc", ENOMEM);
	ring->arena = arena;
	ring->descriptor = (int)option_number(env, options, "socket");
	ring->slots = arena->base + (size_t)option_number(env, options, "slotsOffset");
	ring->slot_octets = (size_t)option_number(env, options, "slotOctets");
	ring->slot_count = (unsigned)option_number(env, options, "slots");
	if (ring->slot_count > MAX_SLOTS) ring->slot_count = MAX_SLOTS;
	ring->wait_ms = (int)option_number(env, options, "waitMs");
	for (unsigned i = 0; i < MAX_SLOTS; i++)
		ring->sending[i].msg_hdr = (struct msghdr){.msg_iov = &ring->pieces[i], .msg_iovlen = 1};

	const char *syscall = open_ring(ring, device, argument_array(&arguments, 2));
	int error = syscall == NULL ? 0 : errno;
	int handle = error != 0 ? -1 : handle_add(HANDLE_QUERY_RING, ring);
	if (error == 0 && handle < 0) error = EMFILE, syscall = "handle";
	if (error != 0) {
		close_ring(ring);
		return throw_errno(env, device, syscall, error);
	}
	return integer_value(env, handle);
}

static struct query_ring *ring_of(const struct arguments *arguments)
{
	struct query_ring *ring = handle_find(HANDLE_QUERY_RING, argument_integer(arguments, 0));
	if (ring == NULL) throw_errno(arguments->env, "query ring", "handle", EBADF);
	return ring;
}

static napi_value query_ring_step(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct query_ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	struct span descriptors = argument_array(&arguments, 1);
	unsigned count = (unsigned)argument_integer(&arguments, 2);
	if (descriptors.count < (size_t)ring->slot_count * QUERY_STRIDE) return throw_errno(env, "query ring", "step", EINVAL);
	send_replies(ring, descriptors.data, count < ring->slot_count ? count : ring->slot_count);
	if (!wait_for_frames(ring)) return integer_value(env, -1);
	return integer_value(env, take_frames(ring, descriptors.data));
}

static napi_value query_ring_failed(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct query_ring *ring = ring_of(&arguments);
	return ring == NULL ? NULL : integer_value(env, (int32_t)ring->failed);
}

/* Reading the kernel's counter sets it to zero. */
static napi_value query_ring_overruns(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct query_ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	struct tpacket_stats statistics = {.tp_drops = 0};
	getsockopt(ring->descriptor, SOL_PACKET, PACKET_STATISTICS, &statistics, &(socklen_t){sizeof statistics});
	ring->overruns += statistics.tp_drops;
	return integer_value(env, (int32_t)ring->overruns);
}

static napi_value query_ring_mtu(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct query_ring *ring = ring_of(&arguments);
	if (ring == NULL) return NULL;
	struct sockaddr_ll local = {.sll_ifindex = 0};
	struct ifreq request = {.ifr_mtu = 0};
	getsockname(ring->descriptor, (struct sockaddr *)&local, &(socklen_t){sizeof local});
	request.ifr_ifindex = local.sll_ifindex;
	if (ioctl(ring->descriptor, SIOCGIFNAME, &request) < 0 || ioctl(ring->descriptor, SIOCGIFMTU, &request) < 0)
		return throw_errno(env, "query ring", "ioctl SIOCGIFMTU", errno);
	return integer_value(env, request.ifr_mtu);
}

static napi_value query_ring_close(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct query_ring *ring = handle_remove(HANDLE_QUERY_RING, argument_integer(&arguments, 0));
	if (ring == NULL) return throw_errno(env, "query ring", "handle", EBADF);
	close_ring(ring);
	return undefined_value(env);
}

static const struct function_entry functions[] = {
	{"queryRingOpen", query_ring_open},	    {"queryRingStep", query_ring_step},
	{"queryRingFailed", query_ring_failed},	    {"queryRingOverruns", query_ring_overruns},
	{"queryRingMtu", query_ring_mtu},	    {"queryRingClose", query_ring_close},
};

void query_ring_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
