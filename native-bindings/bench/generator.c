// Sends Ethernet frames into a device as fast as one core can, or a given number of them.
//
//   generator --device DEV --octets N [--seconds S | --count N] [--core C] [--flows F] [--segments N] [--destinations D]
//             [--router 1] [--networks N] [--vlans V]
//             --source-mac M --destination-mac M --source-ip A --destination-ip A
//             [--outer-source-mac M --outer-destination-mac M --outer-source-ip A --outer-destination-ip A]
//             [--vni N | --gre 1]
//
// `--octets` is the size of the inner frame, Ethernet header counted, FCS not. Each frame is IPv4 and UDP; flow f of F has
// the MAC addresses plus f and a UDP source port of its own. With the outer options every frame is carried in VXLAN
// (RFC 7348), with one outer source port a flow, for a decapsulator; with `--gre 1` in GRE without a key (RFC 2784), and then the
// kernel can cut nothing.
//
// With `--destinations` above 1 each message goes to the destination MAC plus a random number below D, whatever its flow.
//
// With `--router` all flows go to one destination MAC, and flow f to the destination IP plus f. With `--networks` above 1 each
// message goes to the destination IP plus 256 times a random number below N, and with `--vlans` it has an 802.1Q tag with a
// random VLAN ID from 1 to V, which `--octets` does not count; UDP then is without a checksum.
//
// Frames are prepared once and sent by sendmmsg from there: what is measured is the other end, not this one. With
// `--segments` above 1 each message is a UDP super-frame that the kernel cuts into that many frames in front of the device:
// twice to three times the rate, because the way through the socket is walked once for all of them. The device needs
// `ethtool -K DEV tx off tx-udp-segmentation off`, so that real and complete frames leave it; kernels before 6.2 refuse.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench.h"

#define BATCH 64
#define MAX_FRAME_OCTETS 9344
#define VXLAN_PORT 4789
#define VXLAN_OCTETS 8
#define TAG_OCTETS 4
#define GRE_OCTETS (sizeof(struct ether_header) + sizeof(struct iphdr) + 4)
#define HEADER_OCTETS (sizeof(struct ether_header) + sizeof(struct iphdr) + sizeof(struct udphdr))
// What one flow's message may occupy: a super-frame and the virtio header in front of it.
#define SLOT_OCTETS 65600

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
// Debian 12's headers are older than the constant.
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

typedef struct {
  struct ether_addr source_mac, destination_mac;
  uint32_t source_ip, destination_ip;
  // All flows go to one MAC, and each to an address of its own behind it.
  int is_router;
} endpoints;

static struct ether_addr parse_mac(const char *text) {
  struct ether_addr mac;
  if (ether_aton_r(text, &mac) == NULL) {
    fprintf(stderr, "generator: %s: not a MAC address\n", text);
    exit(1);
  }
  return mac;
}

static uint32_t parse_ip(const char *text) {
  struct in_addr address;
  if (inet_pton(AF_INET, text, &address) != 1) {
    fprintf(stderr, "generator: %s: not an IPv4 address\n", text);
    exit(1);
  }
  return address.s_addr;
}

/** The Internet checksum (RFC 1071) of `octets`, an even number, on top of a sum in network order. */
static uint16_t checksum(const void *at, size_t octets, uint32_t sum) {
  const uint16_t *words = at;
  for (size_t i = 0; i < octets / 2; i++) sum += words[i];
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~(sum + (sum >> 16));
}

/** What a UDP checksum starts from (RFC 768), the length in network order. */
static uint32_t pseudo_header_sum(endpoints e, uint16_t octets) {
  uint32_t sum = htons(IPPROTO_UDP) + (uint32_t)octets;
  return sum + (e.source_ip & 0xffff) + (e.source_ip >> 16) + (e.destination_ip & 0xffff) + (e.destination_ip >> 16);
}

/** Writes Ethernet and IPv4 headers for a frame of `octets`; returns how many octets of headers. */
static size_t write_ip_headers(uint8_t *at, size_t octets, endpoints e, uint8_t protocol) {
  struct ether_header *ethernet = (struct ether_header *)at;
  memcpy(ethernet->ether_shost, &e.source_mac, 6);
  memcpy(ethernet->ether_dhost, &e.destination_mac, 6);
  ethernet->ether_type = htons(ETHERTYPE_IP);
  struct iphdr ip = {
      .version = 4,
      .ihl = 5,
      .tot_len = htons((uint16_t)(octets - sizeof *ethernet)),
      .frag_off = htons(0x4000), // DF, as Linux sends UDP
      .ttl = 64,
      .protocol = protocol,
      .saddr = e.source_ip,
      .daddr = e.destination_ip,
  };
  ip.check = checksum(&ip, sizeof ip, 0);
  memcpy(at + sizeof *ethernet, &ip, sizeof ip);
  return sizeof *ethernet + sizeof ip;
}

/** Writes Ethernet, IPv4 and UDP headers for a frame of `octets`; returns how many octets of headers. */
static size_t write_headers(uint8_t *at, size_t octets, endpoints e, unsigned flow, uint16_t destination_port) {
  size_t udp_at = write_ip_headers(at, octets, e, IPPROTO_UDP);
  struct udphdr udp = {
      .source = htons((uint16_t)(49152 + flow)),
      .dest = htons(destination_port),
      .len = htons((uint16_t)(octets - udp_at)),
  };
  memcpy(at + udp_at, &udp, sizeof udp);
  return udp_at + sizeof udp;
}

/** Writes outer headers of GRE for an Ethernet frame of `octets`; returns how many octets of headers. */
static size_t write_gre(uint8_t *at, size_t octets, endpoints outer) {
  size_t gre_at = write_ip_headers(at, octets + GRE_OCTETS, outer, IPPROTO_GRE);
  uint32_t gre = htonl(0x6558);
  memcpy(at + gre_at, &gre, sizeof gre);
  return GRE_OCTETS;
}

static struct ether_addr plus(struct ether_addr mac, unsigned flow) {
  mac.ether_addr_octet[4] += (uint8_t)(flow >> 8);
  mac.ether_addr_octet[5] += (uint8_t)flow;
  return mac;
}

/** Writes the frame of one flow, carried in VXLAN, or in GRE where `vni` is -1, when `outer` is not NULL. */
static void write_frame(uint8_t *at, size_t octets, endpoints inner, const endpoints *outer, int vni, unsigned flow) {
  size_t outer_octets = 0;
  if (outer != NULL && vni < 0) {
    outer_octets = write_gre(at, octets, *outer);
  } else if (outer != NULL) {
    outer_octets = write_headers(at, octets + HEADER_OCTETS + VXLAN_OCTETS, *outer, flow, VXLAN_PORT);
    uint32_t vxlan[2] = {htonl(0x08000000), htonl((uint32_t)vni << 8)};
    memcpy(at + outer_octets, vxlan, sizeof vxlan);
    outer_octets += sizeof vxlan;
  }
  inner.source_mac = plus(inner.source_mac, flow);
  if (inner.is_router) inner.destination_ip = htonl(ntohl(inner.destination_ip) + flow);
  else inner.destination_mac = plus(inner.destination_mac, flow);
  uint8_t *frame = at + outer_octets;
  size_t udp_at = write_headers(frame, octets, inner, flow, 9) - sizeof(struct udphdr);
  struct udphdr udp;
  memcpy(&udp, frame + udp_at, sizeof udp);
  // Its payload is zeroes, so an odd octet at the end adds nothing.
  udp.check = checksum(frame + udp_at, octets - udp_at, pseudo_header_sum(inner, udp.len));
  memcpy(frame + udp_at, &udp, sizeof udp);
}

/**
 * Turns the frame of `octets` at `at` + sizeof(struct virtio_net_hdr) into a super-frame whose outermost UDP payload is
 * there `segments` times, and writes the virtio header in front of it (Virtual I/O Device 1.2, section 5.1.6); returns the
 * octets of both. The kernel computes the outermost UDP checksum of each segment.
 */
static size_t write_super_frame(uint8_t *at, size_t octets, unsigned segments) {
  uint8_t *frame = at + sizeof(struct virtio_net_hdr);
  uint8_t *ip_header = frame + sizeof(struct ether_header), *udp_header = ip_header + sizeof(struct iphdr);
  uint8_t *payload = frame + HEADER_OCTETS;
  size_t payload_octets = octets - HEADER_OCTETS;
  for (unsigned s = 1; s < segments; s++) memcpy(payload + s * payload_octets, payload, payload_octets);
  struct iphdr ip;
  struct udphdr udp;
  memcpy(&ip, ip_header, sizeof ip);
  memcpy(&udp, udp_header, sizeof udp);
  ip.tot_len = htons((uint16_t)(sizeof ip + sizeof udp + segments * payload_octets));
  udp.len = htons((uint16_t)(sizeof udp + segments * payload_octets));
  // The sum of the pseudo-header is what an unfinished checksum starts from.
  uint32_t sum = pseudo_header_sum((endpoints){.source_ip = ip.saddr, .destination_ip = ip.daddr}, udp.len);
  sum = (sum & 0xffff) + (sum >> 16);
  udp.check = (uint16_t)(sum + (sum >> 16));
  memcpy(ip_header, &ip, sizeof ip);
  memcpy(udp_header, &udp, sizeof udp);
  struct virtio_net_hdr header = {
      .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
      .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
      .hdr_len = HEADER_OCTETS,
      .gso_size = (uint16_t)payload_octets,
      .csum_start = sizeof(struct ether_header) + sizeof ip,
      .csum_offset = offsetof(struct udphdr, check),
  };
  memcpy(at, &header, sizeof header);
  return sizeof header + HEADER_OCTETS + segments * payload_octets;
}

/** Puts the low four octets of a destination MAC, `base` plus a random number below `destinations`, into a frame. */
static void randomise_destination(uint8_t *ethernet, uint32_t base, uint32_t destinations, uint64_t *state) {
  // xorshift64 (Marsaglia, 2003).
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  uint32_t low = htonl(base + (uint32_t)(((*state >> 32) * destinations) >> 32));
  memcpy(ethernet + 2, &low, sizeof low);
}

/** Moves what follows the MAC addresses up and puts a tag there. */
static void insert_tag(uint8_t *ethernet, size_t octets) {
  uint8_t *type = ethernet + 2 * ETH_ALEN;
  memmove(type + TAG_OCTETS, type, octets - 2 * ETH_ALEN);
  uint16_t tag[2] = {htons(ETHERTYPE_VLAN), 0};
  memcpy(type, tag, sizeof tag);
}

static uint32_t random_below(uint32_t limit, uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (uint32_t)(((*state >> 32) * limit) >> 32);
}

/** Puts a random network into the destination of the packet at `header`, which had the first of them, and its checksum right. */
static void randomise_network(uint8_t *header, uint32_t first, uint32_t networks, uint64_t *state) {
  struct iphdr ip;
  memcpy(&ip, header, sizeof ip);
  ip.daddr = htonl(ntohl(first) + (random_below(networks, state) << 8));
  ip.check = 0;
  ip.check = checksum(&ip, sizeof ip, 0);
  memcpy(header, &ip, sizeof ip);
}

/** How many segments one super-frame of such payloads may have. */
static unsigned limit_segments(unsigned segments, size_t payload_octets) {
  // Below a page the kernel keeps a super-frame, and with it each frame, in one piece, as a card would deliver it. Large
  // frames would leave too few segments and lie in pages either way.
  size_t limit = payload_octets < 1024 ? 3900 : 65000;
  size_t most = limit / payload_octets;
  return segments < most ? segments : (unsigned)most;
}

int main(int argc, char **argv) {
  const char *device = option(argc, argv, "device", NULL);
  size_t octets = (size_t)number_option(argc, argv, "octets", 64);
  int64_t duration = (int64_t)(atof(option(argc, argv, "seconds", "1")) * 1e9);
  uint64_t count = (uint64_t)number_option(argc, argv, "count", 0);
  unsigned flows = (unsigned)number_option(argc, argv, "flows", 1);
  int is_gre = number_option(argc, argv, "gre", 0) != 0;
  int vni = is_gre ? -1 : (int)number_option(argc, argv, "vni", 0);
  unsigned segments = (unsigned)number_option(argc, argv, "segments", 1);
  uint32_t destinations = (uint32_t)number_option(argc, argv, "destinations", 1);
  uint32_t networks = (uint32_t)number_option(argc, argv, "networks", 1);
  uint32_t vlans = (uint32_t)number_option(argc, argv, "vlans", 0);
  if ((networks > 1 || vlans > 0) && segments > 1) {
    fprintf(stderr, "generator: --networks and --vlans go with --segments 1\n");
    return 1;
  }
  if (octets < 64 || octets + 64 > MAX_FRAME_OCTETS || flows < 1 || flows > 1024) {
    fprintf(stderr, "generator: --octets is 64 to %d, --flows 1 to 1024\n", MAX_FRAME_OCTETS - 64);
    return 1;
  }
  endpoints inner = {
      .source_mac = parse_mac(option(argc, argv, "source-mac", NULL)),
      .destination_mac = parse_mac(option(argc, argv, "destination-mac", NULL)),
      .source_ip = parse_ip(option(argc, argv, "source-ip", "172.16.1.1")),
      .destination_ip = parse_ip(option(argc, argv, "destination-ip", "172.16.1.2")),
      .is_router = (int)number_option(argc, argv, "router", 0),
  };
  endpoints outer = {0};
  int is_encapsulated = *option(argc, argv, "outer-source-ip", "") != 0;
  if (is_encapsulated) {
    outer.source_mac = parse_mac(option(argc, argv, "outer-source-mac", NULL));
    outer.destination_mac = parse_mac(option(argc, argv, "outer-destination-mac", NULL));
    outer.source_ip = parse_ip(option(argc, argv, "outer-source-ip", NULL));
    outer.destination_ip = parse_ip(option(argc, argv, "outer-destination-ip", NULL));
  }
  size_t tunnel_octets = is_gre ? GRE_OCTETS : HEADER_OCTETS + VXLAN_OCTETS;
  size_t wire_octets = octets + (is_encapsulated ? tunnel_octets : 0);
  if (is_gre) segments = 1;
  segments = limit_segments(segments, wire_octets - HEADER_OCTETS);
  pin((int)number_option(argc, argv, "core", -1));
  // The kernel segments behind the queueing discipline, so only single frames may bypass it.
  int fd = open_sender(device, segments == 1);
  int on = 1;
  if (segments > 1 && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on)) die("PACKET_VNET_HDR");

  // One prepared frame a flow; message m of the endless sequence carries flow m modulo F. The vector is as long as a
  // multiple of the batch, so that a batch is always one piece of it.
  size_t ip_at = sizeof(struct ether_header) + (vlans > 0 ? TAG_OCTETS : 0);
  unsigned messages = flows * BATCH;
  uint8_t *frames = calloc(flows, SLOT_OCTETS);
  struct iovec *vectors = calloc(messages, sizeof *vectors);
  struct mmsghdr *headers = calloc(messages, sizeof *headers);
  if (frames == NULL || vectors == NULL || headers == NULL) die("calloc");
  for (unsigned m = 0; m < messages; m++) {
    uint8_t *frame = frames + (size_t)(m % flows) * SLOT_OCTETS;
    uint8_t *ethernet = segments > 1 ? frame + sizeof(struct virtio_net_hdr) : frame;
    write_frame(ethernet, octets, inner, is_encapsulated ? &outer : NULL, vni, m % flows);
    if (vlans > 0) insert_tag(ethernet, octets);
    if (networks > 1) memset(ethernet + ip_at + sizeof(struct iphdr) + offsetof(struct udphdr, check), 0, 2);
    size_t whole_octets = wire_octets + (vlans > 0 ? TAG_OCTETS : 0);
    size_t sent_octets = segments > 1 ? write_super_frame(frame, wire_octets, segments) : whole_octets;
    vectors[m] = (struct iovec){frame, sent_octets};
    headers[m].msg_hdr.msg_iov = &vectors[m];
    headers[m].msg_hdr.msg_iovlen = 1;
  }

  uint32_t base;
  memcpy(&base, inner.destination_mac.ether_addr_octet + 2, sizeof base);
  base = ntohl(base);
  // Behind the virtio header, if there is one, and the outer headers.
  size_t ethernet_at = (segments > 1 ? sizeof(struct virtio_net_hdr) : 0) + (wire_octets - octets);
  uint64_t random_state = 0x9e3779b97f4a7c15;
  uint64_t sent = 0, refused = 0;
  unsigned next = 0;
  int64_t start = now_ns(), now = start;
  while (count > 0 ? sent + refused < count : now < start + duration) {
    unsigned batch = BATCH;
    if (count > 0 && count - sent - refused < batch) batch = (unsigned)(count - sent - refused);
    if (next + batch > messages) next = 0;
    if (destinations > 1) {
      for (unsigned m = next; m < next + batch; m++) {
        uint8_t *frame = vectors[m].iov_base;
        randomise_destination(frame + ethernet_at, base, destinations, &random_state);
      }
    }
    if (networks > 1 || vlans > 0) {
      for (unsigned m = next; m < next + batch; m++) {
        uint8_t *frame = vectors[m].iov_base;
        if (networks > 1) randomise_network(frame + ip_at, inner.destination_ip, networks, &random_state);
        uint16_t tci = htons((uint16_t)(1 + random_below(vlans, &random_state)));
        if (vlans > 0) memcpy(frame + sizeof(struct ether_header), &tci, sizeof tci);
      }
    }
    int accepted = sendmmsg(fd, headers + next, batch, 0);
    if (accepted > 0) {
      sent += (unsigned)accepted;
      next += (unsigned)accepted;
    } else if (errno == ENOBUFS) {
      refused++;
      next++;
    } else if (errno != EINTR) {
      die("sendmmsg");
    }
    now = now_ns();
  }
  double seconds = (double)(now - start) / 1e9;
  sent *= segments;
  refused *= segments;
  printf("{\"sent\":%llu,\"refused\":%llu,\"seconds\":%.6f,\"packetsPerSecond\":%.0f}\n", (unsigned long long)sent,
         (unsigned long long)refused, seconds, (double)sent / seconds);
  return 0;
}
