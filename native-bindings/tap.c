/* A TAP device: this side reads and writes what the kernel's side sends and receives, with segmentation and checksums left
 * to either side by virtio headers (Documentation/networking/tuntap.rst). A TUN device is the same without MAC headers.
 *
 * The device is the host's: it is attached to, and made only where there is none. One that was made here goes when it is
 * closed; one that somebody made persistent stays, and with it the addresses on it.
 *
 * Frames are received one behind the other into a region, each with headroom in front. */
#include "addon.h"
#include "packet_transmit.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Debian 12's headers are older than the two (Linux 6.2). */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define VNET_OCTETS sizeof(struct virtio_net_hdr)
/* The largest IP packet, a MAC header, and tags. */
#define MAX_FRAME_OCTETS (65535 + 14 + 8)
#define ETHERNET_OCTETS 14
/* A frame that the virtio header cannot express is lost; so many in a row, and others get their turn. */
#define MAX_LOSSES 64

struct tap {
	struct arena *arena;
	int descriptor;
	char device[IF_NAMESIZE];
	uint8_t *region;
	size_t region_octets;
	size_t frame_offset;
	_Atomic uint64_t lost; /* here */
	uint64_t lost_before;  /* by the device, when it was opened */
	struct transmitter transmitter;
};

/* Frames that found the device's queue full, since it was made: the fourth number of what it sent, in proc(5) net/dev. */
static uint64_t lost_by_device(const char *device)
{
	FILE *file = fopen("/proc/self/net/dev", "re");
	if (file == NULL) return 0;
	char line[512];
	unsigned long long lost = 0;
	size_t octets = strlen(device);
	while (fgets(line, sizeof line, file) != NULL) {
		const char *name = line + strspn(line, " ");
		if (strncmp(name, device, octets) != 0 || name[octets] != ':') continue;
		sscanf(name + octets + 1, "%*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", &lost);
		break;
	}
	fclose(file);
	return lost;
}

/* Receiving. */

static inline void describe(int32_t *descriptor, const struct virtio_net_hdr *offload)
{
	uint32_t flags = 0;
	if (offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		flags |= RING_CHECKSUM_PARTIAL;
		descriptor[WORD_CHECKSUM] = (int32_t)(offload->csum_start | (uint32_t)offload->csum_offset << 16);
	} else if (offload->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		flags |= RING_CHECKSUM_VERIFIED;
	}
	if (offload->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		flags |= RING_GSO;
		descriptor[WORD_GSO] = (int32_t)((offload->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) | (uint32_t)offload->gso_size << 16);
	}
	descriptor[WORD_VLAN] = 0; /* a tag stands in the octets */
	descriptor[WORD_FLAGS] = (int32_t)flags;
}

static int receive(struct tap *tap, int32_t *descriptor, int max)
{
	int count = 0, losses = 0;
	uint8_t *at = tap->region, *end = tap->region + tap->region_octets;
	while (count < max && (size_t)(end - at) >= tap->frame_offset + MAX_FRAME_OCTETS) {
		uint8_t *frame = at + tap->frame_offset;
		ssize_t octets = read(tap->descriptor, frame - VNET_OCTETS, VNET_OCTETS + MAX_FRAME_OCTETS);
		if (octets < 0 && errno == EINVAL && ++losses < MAX_LOSSES) {
			atomic_fetch_add_explicit(&tap->lost, 1, memory_order_relaxed);
			continue;
		}
		if (octets < 0 && errno == EINTR) continue;
		/* EAGAIN: no more; EBADFD: the device was deleted, as whoever watches devices will tell. */
		if (octets < (ssize_t)VNET_OCTETS) break;
		descriptor[WORD_OFFSET] = (int32_t)(frame - tap->arena->base);
		descriptor[WORD_OCTETS] = (int32_t)(octets - (ssize_t)VNET_OCTETS);
		describe(descriptor, (const struct virtio_net_hdr *)(frame - VNET_OCTETS));
		at = frame + (octets - (ssize_t)VNET_OCTETS);
		at += -(uintptr_t)at & 63;
		descriptor += RING_STRIDE;
		count++;
	}
	return count;
}

/* Opening. */

static const char *attach(struct tap *tap, bool is_tun, bool up)
{
	tap->descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->descriptor < 0) return "open /dev/net/tun";
	struct ifreq request = {.ifr_flags = (is_tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI | IFF_VNET_HDR};
	strcpy(request.ifr_name, tap->device);
	if (ioctl(tap->descriptor, TUNSETIFF, &request) < 0) return "ioctl TUNSETIFF";
	int octets = VNET_OCTETS;
	if (ioctl(tap->descriptor, TUNSETVNETHDRSZ, &octets) < 0) return "ioctl TUNSETVNETHDRSZ";
	unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	if (ioctl(tap->descriptor, TUNSETOFFLOAD, offloads | TUN_F_USO4 | TUN_F_USO6) < 0 &&
	    ioctl(tap->descriptor, TUNSETOFFLOAD, offloads) < 0)
		return "ioctl TUNSETOFFLOAD";
	if (!up) return NULL;
	int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (control < 0) return "socket";
	bool is_set = ioctl(control, SIOCGIFFLAGS, &request) == 0;
	request.ifr_flags |= IFF_UP;
	is_set = is_set && ioctl(control, SIOCSIFFLAGS, &request) == 0;
	int error = errno;
	close(control);
	errno = error;
	return is_set ? NULL : "ioctl SIOCSIFFLAGS";
}

static void close_tap(struct tap *tap)
{
	if (tap->descriptor >= 0) close(tap->descriptor);
	madvise(tap->region, tap->region_octets, MADV_DONTNEED);
	free(tap);
}

static napi_value tap_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	napi_value options = arguments.values[1];
	struct arena *arena = handle_find(HANDLE_ARENA, argument_integer(&arguments, 0));
	char device[IF_NAMESIZE];
	option_text(env, options, "device", device, sizeof device);
	if (arena == NULL) return throw_errno(env, device, "arena", EBADF);
	struct tap *tap = calloc(1, sizeof *tap);
	if (tap == NULL) return throw_errno(env, device, "calloc", ENOMEM);
	tap->arena = arena;
	strcpy(tap->device, device);
	tap->region = arena->base + (size_t)option_number(env, options, "offset");
	tap->region_octets = (size_t)option_number(env, options, "octets");
	/* The virtio header lies in the headroom, and has been read before anyone writes there. */
	tap->frame_offset = frame_offset((size_t)option_number(env, options, "headroomOctets"));
	/* A packet begins where it would behind a MAC header: a word boundary. */
	bool is_tun = option_boolean(env, options, "isTun");
	if (is_tun) tap->frame_offset += ETHERNET_OCTETS;
	const char *syscall = attach(tap, is_tun, option_boolean(env, options, "up"));
	int error = syscall == NULL ? 0 : errno;
	int handle = error != 0 ? -1 : handle_add(HANDLE_TAP, tap);
	if (error == 0 && handle < 0) error = EMFILE, syscall = "handle";
	if (error != 0) {
		close_tap(tap);
		return throw_errno(env, device, syscall, error);
	}
	transmitter_open_tap(&tap->transmitter, tap->descriptor, is_tun);
	tap->lost_before = lost_by_device(device);
	return integer_value(env, handle);
}

/* The functions of a device that is open. */

static struct tap *tap_of(const struct arguments *arguments)
{
	struct tap *tap = handle_find(HANDLE_TAP, argument_integer(arguments, 0));
	if (tap == NULL) throw_errno(arguments->env, "tap", "handle", EBADF);
	return tap;
}

static napi_value tap_receive(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct tap *tap = tap_of(&arguments);
	if (tap == NULL) return NULL;
	struct span descriptors = argument_array(&arguments, 1);
	int max = argument_integer(&arguments, 2);
	if (max > (int)(descriptors.count / RING_STRIDE)) max = (int)(descriptors.count / RING_STRIDE);
	return integer_value(env, receive(tap, descriptors.data, max));
}

static napi_value tap_transmit(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct tap *tap = tap_of(&arguments);
	if (tap == NULL) return NULL;
	int32_t *descriptors = argument_array(&arguments, 1).data;
	int count = argument_integer(&arguments, 2);
	return integer_value(env, transmitter_send(&tap->transmitter, tap->arena->base, descriptors, count));
}

static napi_value tap_overruns(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct tap *tap = tap_of(&arguments);
	if (tap == NULL) return NULL;
	uint64_t by_device = lost_by_device(tap->device), lost = atomic_load(&tap->lost);
	if (by_device > tap->lost_before) lost += by_device - tap->lost_before;
	napi_value result;
	napi_create_double(env, (double)lost, &result);
	return result;
}

static napi_value tap_descriptors(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct tap *tap = tap_of(&arguments);
	if (tap == NULL) return NULL;
	return integers_value(env, &tap->descriptor, 1);
}

static napi_value tap_close(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct tap *tap = handle_remove(HANDLE_TAP, argument_integer(&arguments, 0));
	if (tap == NULL) return throw_errno(env, "tap", "handle", EBADF);
	close_tap(tap);
	return undefined_value(env);
}

static const struct function_entry functions[] = {
	{"tapOpen", tap_open},		      {"tapReceive", tap_receive}, {"tapTransmit", tap_transmit},
	{"tapOverruns", tap_overruns},	      {"tapDescriptors", tap_descriptors}, {"tapClose", tap_close},
};

void tap_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
