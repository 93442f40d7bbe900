// What tunnels listen on beside an address: a UDP port, or an IP protocol of their own. Both are numbers of one space.

const PROTOCOL = 0x1_0000;

/** Bits of a service. */
export const SERVICE_BITS = 17;

export const udpService = (port: number): number => port;

export const protocolService = (protocol: number): number => PROTOCOL | protocol;

export const serviceIsUdp = (service: number): boolean => service < PROTOCOL;

/** UDP port or IP protocol of a service. */
export const serviceNumber = (service: number): number => service & 0xffff;
