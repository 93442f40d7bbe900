/* An underlay TAP: the only way into the kernel for a super-frame that has the outer headers of a UDP tunnel already, to be
 * cut behind them (drivers/net/tun_vnet.h of Linux 6.17). Sending by it is packet_transmit.c's; nothing is received. */
#include "addon.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Debian 12's headers are older than the two. */
#ifndef TUN_F_UDP_TUNNEL_GSO
#define TUN_F_UDP_TUNNEL_GSO 0x080
#define TUN_F_UDP_TUNNEL_GSO_CSUM 0x100
#endif

/* struct virtio_net_hdr_v1_hash_tunnel: see packet_transmit.h. */
#define TUNNEL_HEADER_OCTETS 24

static const char *make(int descriptor, struct ifreq *request)
{
	request->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(descriptor, TUNSETIFF, request) < 0) return "ioctl TUNSETIFF";
	int octets = TUNNEL_HEADER_OCTETS;
	if (ioctl(descriptor, TUNSETVNETHDRSZ, &octets) < 0) return "ioctl TUNSETVNETHDRSZ";
	unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_UDP_TUNNEL_GSO | TUN_F_UDP_TUNNEL_GSO_CSUM;
	if (ioctl(descriptor, TUNSETOFFLOAD, offloads) < 0) return "ioctl TUNSETOFFLOAD";
	return NULL;
}

static napi_value underlay_tap_open(napi_env env, napi_callback_info info)
{
	struct arguments arguments = arguments_of(env, info);
	struct ifreq request = {.ifr_flags = 0};
	napi_get_value_string_utf8(env, arguments.values[0], request.ifr_name, IFNAMSIZ, NULL);
	int descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (descriptor < 0) return throw_errno(env, "/dev/net/tun", "open", errno);
	const char *syscall = make(descriptor, &request);
	if (syscall != NULL) {
		int error = errno;
		close(descriptor);
		return throw_errno(env, request.ifr_name, syscall, error);
	}
	return integers_value(env, (int[]){descriptor, (int)if_nametoindex(request.ifr_name)}, 2);
}

static const struct function_entry functions[] = {{"underlayTapOpen", underlay_tap_open}};

void underlay_tap_register(napi_env env, napi_value exports) { export_functions(env, exports, ENTRIES(functions)); }
