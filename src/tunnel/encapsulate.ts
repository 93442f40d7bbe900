// From the kind of a tunnel to what prepares its headers and puts them in front of a frame.

import type { Arena } from '../packet/arena.ts';
import type { Frame } from '../packet/frame.ts';
import {
  encapsulateDirectIpv4,
  encapsulateDirectIpv6,
  encapsulateDirectSocket,
  prepareDirectEthernet,
  prepareDirectSocket,
} from './direct-ip.ts';
import type { TunnelEndpoint } from './endpoint.ts';
import { TunnelKind } from './tunnel.ts';
import { encapsulateVxlanEthernet, encapsulateVxlanUdp, prepareVxlanEthernet, prepareVxlanUdp } from './vxlan.ts';
import { encapsulateVxlanIpv6 } from './vxlan-ipv6.ts';

/** Renders the headers of an endpoint whose next hop on an Ethernet underlay is known; MACs as pairs of integers. */
export function prepareEthernet(
  endpoint: TunnelEndpoint,
  nextHopHigh: number,
  nextHopLow: number,
  ownHigh: number,
  ownLow: number,
): void {
  if (endpoint.tunnel.kind === TunnelKind.vxlan) {
    prepareVxlanEthernet(endpoint, nextHopHigh, nextHopLow, ownHigh, ownLow);
  } else {
    prepareDirectEthernet(endpoint, nextHopHigh, nextHopLow, ownHigh, ownLow);
  }
}

/** Renders the header of an endpoint behind a socket, of UDP or of the IP protocol of its tunnel. */
export function prepareSocket(endpoint: TunnelEndpoint): void {
  if (endpoint.tunnel.kind === TunnelKind.vxlan) prepareVxlanUdp(endpoint);
  else prepareDirectSocket(endpoint);
}

/** Puts the outer headers in front of the frame. The caller has checked headroom, MTU and that the endpoint is ready. */
export function encapsulate(arena: Arena, frame: Frame, endpoint: TunnelEndpoint): void {
  const { tunnel } = endpoint;
  const isSocket = endpoint.egress === -1;
  if (tunnel.kind === TunnelKind.vxlan) {
    if (isSocket) encapsulateVxlanUdp(arena, frame, endpoint);
    else if (tunnel.isIpv6) encapsulateVxlanIpv6(arena, frame, endpoint);
    else encapsulateVxlanEthernet(arena, frame, endpoint);
  } else if (isSocket) {
    encapsulateDirectSocket(arena, frame, endpoint);
  } else if (tunnel.isIpv6) {
    encapsulateDirectIpv6(arena, frame, endpoint);
  } else {
    encapsulateDirectIpv4(arena, frame, endpoint);
  }
}
