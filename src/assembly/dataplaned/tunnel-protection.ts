// Tunnels whose packets a traffic selector protects: EtherIP, GRE and VXLAN inside IPsec.
//
// The selector is looked up when an endpoint is connected, by what all its packets have in common, so that a packet costs
// nothing more than being handed to another outlet. The source port of VXLAN differs from flow to flow: selectors that name
// one match no such tunnel.

import { wordsAreIpv6 } from '../../core/address.ts';
import { largestInnerOctets } from '../../ipsec/overhead.ts';
import { selectors } from '../../ipsec/packet-selectors.ts';
import type { SelectorSpec } from '../../ipsec/traffic-selector.ts';
import type { Outlet } from '../../pipeline/node.ts';
import type { TunnelEndpoint } from '../../tunnel/endpoint.ts';
import { serviceIsUdp, serviceNumber } from '../../tunnel/service.ts';
import { ETHERNET_HEADER_OCTETS } from '../../wire/ethernet.ts';
import { IpProtocol } from '../../wire/ipv4.ts';
import type { IpsecGate } from './ipsec-gate.ts';
import type { IpsecPaths } from './ipsec-paths.ts';

/** Where outer packets of an endpoint go, and how large they may be. */
export type Protected = { readonly outlet: Outlet; readonly mtu: number };

const NO_LIMIT = 65_535;

export class TunnelProtection {
  readonly #gate: IpsecGate;
  readonly #paths: IpsecPaths;

  constructor(gate: IpsecGate, paths: IpsecPaths) {
    this.#gate = gate;
    this.#paths = paths;
  }

  /** What protects the packets to an endpoint; undefined: nothing does. */
  of(endpoint: TunnelEndpoint): Protected | undefined {
    const { policies } = this.#gate;
    if (!policies.hasOut) return undefined;
    const routeDomain = endpoint.tunnel.spec.routeDomain ?? 0;
    describe(endpoint);
    const selector = policies.find('out', routeDomain);
    if (selector === undefined || selector.action === 'bypass') return undefined;
    return { outlet: this.#outlet(selector), mtu: this.#mtu(selector, routeDomain) };
  }

  #outlet(selector: SelectorSpec): Outlet {
    const gate = this.#gate;
    return {
      push: (frame) => {
        frame.outerStart = 0;
        frame.start += ETHERNET_HEADER_OCTETS;
        gate.take(frame, selector);
      },
    };
  }

  #mtu({ policy, isIpv6 }: SelectorSpec, routeDomain: number): number {
    const association = this.#gate.associations.findOutbound(policy);
    if (association === undefined) return NO_LIMIT;
    const { sa } = association.spec;
    return largestInnerOctets(sa, this.#paths.outerMtu(sa, routeDomain), isIpv6 ? 6 : 4);
  }
}

/** Fills in `selectors` with what all packets to an endpoint have in common. */
function describe({ local, remote, tunnel }: TunnelEndpoint): void {
  const { service } = tunnel.spec;
  const isUdp = serviceIsUdp(service);
  selectors.isIpv6 = wordsAreIpv6(local);
  [selectors.source0, selectors.source1, selectors.source2, selectors.source3] = local;
  [selectors.destination0, selectors.destination1, selectors.destination2, selectors.destination3] = remote;
  selectors.protocol = isUdp ? IpProtocol.udp : serviceNumber(service);
  selectors.sourcePort = -1;
  selectors.destinationPort = isUdp ? serviceNumber(service) : -1;
}
