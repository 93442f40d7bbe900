// A frame in flight: offsets into the arena and what the adapters and nodes know of it.
//
// Every field is an integer, and every Frame has the same shape, so that reading one costs a load. Encapsulation moves
// `start` down into the headroom, decapsulation moves it up; the octets themselves stay where they were received.

/** Kinds of segmentation offload, as in the virtio network header (linux/virtio_net.h). */
export const Gso = { none: 0, tcp4: 1, udp4: 3, tcp6: 4, udpL4: 5 } as const;

export class Frame {
  /** Arena offset of the first octet. */
  start = 0;
  /** Arena offset behind the last octet. */
  end = 0;
  /** Lowest arena offset that a prepended header may use. */
  headroomStart = 0;
  /** Slot of the pool that holds the octets; -1: memory of the receiving port, valid until its next `receive`. */
  slot = -1;
  /** Index of the port that received it; -1 for a frame that was made here. */
  port = -1;
  /** While the frame is being decapsulated: arena offset of the first octet that carried it; otherwise 0. */
  outerStart = 0;
  /** Bridge member that it came in by; -1 until it is classified. */
  member = -1;
  /** Bridge member that it shall leave by; meaningful between the bridge and the outlet of that member. */
  egress = -1;
  /** Index of the tunnel listener (local address and port) that it was sent to; meaningful up to decapsulation. */
  listener = -1;
  /** VLAN tag that travels beside the octets: TCI, and TPID in host order; TPID 0 means none. */
  vlanTci = 0;
  vlanTpid = 0;
  /** Arena offset at which an unfinished Internet checksum starts (its pseudo-header is already summed); 0: none. */
  checksumStart = 0;
  /** Octets from `checksumStart` to the checksum field. */
  checksumOffset = 0;
  /** 1 when the receiving side has already verified the checksums. */
  checksumVerified = 0;
  /** 1 when the adapter cannot tell of unfinished checksums, so that a frame inside this one may hold one. */
  offloadsUnknown = 0;
  /**
   * 1 when the outermost headers are UDP and were written here, with a checksum that is right, or 0 and free to be set:
   * such frames can be joined for sending without a look at their payload (native-bindings/join.h).
   */
  ownUdp = 0;
  /** A value of Gso; other than none, the frame is a super-frame of segments of `gsoSize` octets of payload. */
  gsoType = 0;
  gsoSize = 0;
  /**
   * Of a super-frame that was encapsulated as it is, for the port to cut it behind the outer headers: arena offset of its
   * own Ethernet header; otherwise 0.
   */
  innerStart = 0;
  /** Octets of the frame when it was received, where the ring had to cut it short; otherwise 0. */
  truncatedFrom = 0;
  /**
   * The other end of the underlay, as four 32-bit words in host order (IPv4 in word 3, the rest 0), and its UDP port:
   * the source of what was received, the destination of what a port of medium `udp` or `raw-ip` shall send.
   */
  outer0 = 0;
  outer1 = 0;
  outer2 = 0;
  outer3 = 0;
  outerPort = 0;
  /** Outer TOS or traffic class, as received or as to be sent. */
  outerTos = 0;
  /** Hash of the inner flow, from which the outer source port is chosen (RFC 7348, section 5). */
  flowHash = 0;
  /**
   * What IPsec knows of it: 0, nothing yet. On the way in: 1 + the id of the security association that it came by, or -1, it came
   * unprotected and may. On the way out: 1 + the id of the traffic selector that asks for protection.
   */
  protection = 0;
  /** Of a packet that IPsec shall open: arena offset of its ESP, AH or UDP header, and the number of that protocol. */
  upperStart = 0;
  upperProtocol = 0;
  /** Index into the table of tunnel endpoints: where encapsulation shall send it; -1: the tunnel's own remote. */
  endpoint = -1;
}

/** Forgets all but the place of the octets: what a freshly received or originated frame starts with. */
export function resetMetadata(frame: Frame): void {
  frame.outerStart = 0;
  frame.member = -1;
  frame.egress = -1;
  frame.listener = -1;
  frame.vlanTci = 0;
  frame.vlanTpid = 0;
  frame.checksumStart = 0;
  frame.checksumOffset = 0;
  frame.checksumVerified = 0;
  frame.offloadsUnknown = 0;
  frame.ownUdp = 0;
  frame.gsoType = 0;
  frame.gsoSize = 0;
  frame.innerStart = 0;
  frame.truncatedFrom = 0;
  frame.protection = 0;
  frame.endpoint = -1;
}

/** Takes over what is known of a frame besides its octets and what is unfinished about them. */
export function copyMetadata(from: Frame, to: Frame): void {
  to.port = from.port;
  to.member = from.member;
  to.egress = from.egress;
  to.listener = from.listener;
  to.vlanTci = from.vlanTci;
  to.vlanTpid = from.vlanTpid;
  to.checksumVerified = from.checksumVerified;
  to.offloadsUnknown = from.offloadsUnknown;
  to.outer0 = from.outer0;
  to.outer1 = from.outer1;
  to.outer2 = from.outer2;
  to.outer3 = from.outer3;
  to.outerPort = from.outerPort;
  to.outerTos = from.outerTos;
  to.flowHash = from.flowHash;
  to.protection = from.protection;
  to.endpoint = from.endpoint;
}

/** An ordered list of frames with a fixed capacity; slots behind `length` are stale. */
export class FrameBatch {
  readonly frames: Frame[] = [];
  length = 0;

  push(frame: Frame): void {
    this.frames[this.length++] = frame;
  }

  clear(): void {
    this.length = 0;
  }

  /** Takes the first `count` frames out; what was pushed behind them moves up. */
  removeFirst(count: number): void {
    for (let index = count; index < this.length; index++) this.frames[index - count] = this.frames[index]!;
    this.length -= count;
  }
}

/** Frames that a port hands over at most in one receive: a power of two that keeps a breath's working set in L2. */
export const BURST = 256;

/** Headroom that every received and every pooled frame has: the largest encapsulation, with room for a VLAN tag. */
export const HEADROOM_OCTETS = 128;
