// Where IPsec stands in the way of packets (RFC 4301, section 5): what they meet before they leave and before they are believed.
//
// Packets that leave meet the selectors of direction out: those that the router forwards, those that were made here or come from the
// host, and those of tunnels. Packets that come in unprotected meet the selectors of direction in; those that came by a security
// association are looked at when they come out of it (nodes/ipsec-inbound-node.ts).
//
// Key exchange passes by (RFC 7296, section 2.23): it has to work before there is anything to protect it with.

import { Drop, FORWARD, type Verdict } from '../../core/drop-reason.ts';
import { read16 } from '../../core/octets.ts';
import { AssociationDatabase } from '../../ipsec/association-database.ts';
import { FragmentPorts } from '../../ipsec/fragment-ports.ts';
import { readSelectors, selectors } from '../../ipsec/packet-selectors.ts';
import { PolicyDatabase } from '../../ipsec/policy-database.ts';
import { IpsecProtocol } from '../../ipsec/security-association.ts';
import { ANY_PROTOCOL, NO_POLICY, type SelectorSpec } from '../../ipsec/traffic-selector.ts';
import { type Frame, FrameBatch } from '../../packet/frame.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import { IpProtocol } from '../../wire/ipv4.ts';
import { findUpperLayerOrAh, upperLayer } from '../../wire/ipv6-extension.ts';
import { UDP_HEADER_OCTETS } from '../../wire/udp.ts';
import { UDP_ENCAPSULATION_PORT } from '../../wire/udp-encapsulation.ts';

/** What `Frame.protection` is where a packet came in unprotected and may. */
export const ADMITTED = -1;

/** UDP port of key exchange (RFC 7296, section 2). */
const IKE_PORT = 500;

/** What `match` gives for a later fragment of which it cannot be said whether a selector is for it. */
const UNKNOWN_FRAGMENT: SelectorSpec = {
  ...{
    id: -1,
    name: '',
    row: 0,
    scope: 0,
    direction: 'out',
    action: 'discard',
    policy: NO_POLICY,
    order: 0,
    isIpv6: false,
  },
  ...{ source: [0, 0, 0, 0], sourceBits: 0, destination: [0, 0, 0, 0], destinationBits: 0 },
  ...{ sourcePort: 0, destinationPort: 0, protocol: ANY_PROTOCOL },
};

export class IpsecGate {
  readonly policies = new PolicyDatabase();
  readonly associations = new AssociationDatabase();
  /** Packets to be sealed: `Frame.protection` is 1 + the id of their selector; they start at their IP header. */
  readonly toSeal = new FrameBatch();
  /** Packets to be opened: they start at their IP header, and `Frame.upperStart` is where ESP, AH or UDP begins. */
  readonly toOpen = new FrameBatch();
  /** UDP port of ESP behind address translation, and of key exchange then. */
  natTraversalPort = UDP_ENCAPSULATION_PORT;
  /** Whether a daemon has registered for the messages of key exchange that come there. */
  hasKeyExchange = false;
  readonly #bytes: Uint8Array;
  readonly #disposal: Disposal;
  readonly #fragmentPorts = new FragmentPorts();

  constructor(disposal: Disposal) {
    this.#disposal = disposal;
    this.#bytes = disposal.pool.arena.bytes;
  }

  /** Whether any packet has to be looked at. */
  get isActive(): boolean {
    return this.policies.hasIn || this.policies.hasOut;
  }

  /** Whether packets to addresses of ours may be for us rather than for a socket of the host. */
  get opens(): boolean {
    return this.associations.size > 0 || this.hasKeyExchange;
  }

  /** Whether datagrams to `natTraversalPort` are. */
  get #opensUdp(): boolean {
    return this.associations.udpUsers > 0 || this.hasKeyExchange;
  }

  /** The selector of direction out for a packet whose header has been checked; undefined: it goes as it is. */
  match(frame: Frame, routeDomain: number): SelectorSpec | undefined {
    if (!this.policies.hasOut) return undefined;
    const isKnown = this.read(frame, routeDomain);
    const found = this.policies.find('out', routeDomain);
    if (found !== undefined && found.action !== 'bypass') return found;
    // Whether a selector with ports is for it nobody can say: it must not leave in the clear.
    return isKnown ? undefined : UNKNOWN_FRAGMENT;
  }

  /**
   * Fills in `selectors` for a packet. Returns false for a later fragment whose ports are not known, where selectors ask for them.
   * `scope`: where its selectors are looked for.
   */
  read(frame: Frame, scope: number): boolean {
    readSelectors(this.#bytes, frame.start, frame.end);
    return !this.policies.hasPorts || this.#fragmentPorts.complete(scope);
  }

  /** The same for what was made here or comes from the host. */
  matchOwn(frame: Frame, routeDomain: number): SelectorSpec | undefined {
    const found = this.match(frame, routeDomain);
    return found === undefined || this.#isKeyExchange(selectors.sourcePort) ? undefined : found;
  }

  /** Grows with every change. */
  get version(): number {
    return this.policies.version + this.associations.version;
  }

  /** Takes a packet that a selector is for: it is sealed, or dropped as the selector says. */
  take(frame: Frame, selector: SelectorSpec): void {
    if (selector === UNKNOWN_FRAGMENT) {
      this.#disposal.drop(frame, Drop.ipsecFragmentUnknown, selector.row);
      return;
    }
    if (selector.action === 'discard') {
      this.#disposal.drop(frame, Drop.ipsecPolicyDiscard, selector.row);
      return;
    }
    frame.protection = selector.id + 1;
    this.toSeal.push(frame);
  }

  /** Whether a packet that came in unprotected, for us or to be forwarded, may: FORWARD, or why not. */
  admit(frame: Frame, routeDomain: number, isForUs: boolean): Verdict {
    if (frame.protection !== 0 || !this.policies.hasIn) return FORWARD;
    this.read(frame, routeDomain);
    const found = this.policies.find('in', routeDomain);
    frame.protection = ADMITTED;
    if (found === undefined || found.action === 'bypass') return FORWARD;
    if (isForUs && this.#isKeyExchange(selectors.destinationPort)) return FORWARD;
    return found.action === 'discard' ? Drop.ipsecPolicyDiscard : Drop.ipsecPolicyRequired;
  }

  /**
   * The same for a fragment for us, so that none that came unprotected is put together with others that did not. What may be a piece
   * of a protected packet passes, and all are looked at once more when they are whole.
   */
  admitFragment(frame: Frame, routeDomain: number): Verdict {
    const verdict = this.admit(frame, routeDomain, true);
    if (frame.protection !== ADMITTED) return verdict;
    frame.protection = 0;
    const protocol = this.#protocolOf(frame);
    const isProtected = protocol === IpsecProtocol.esp || protocol === IpsecProtocol.ah;
    const mayBe = protocol === IpProtocol.udp && this.#opensUdp;
    return isProtected || mayBe ? FORWARD : verdict;
  }

  /** Whether a first fragment for us is of a packet that `takeProtected` would take, so that no socket of the host gets it. */
  ownsFragment(frame: Frame): boolean {
    if (!this.opens) return false;
    readSelectors(this.#bytes, frame.start, frame.end);
    const protocol = this.#protocolOf(frame);
    if (protocol === IpProtocol.udp) return this.#opensUdp && selectors.destinationPort === this.natTraversalPort;
    return this.associations.size > 0 && (protocol === IpsecProtocol.esp || protocol === IpsecProtocol.ah);
  }

  /** That of the packet in `selectors`. To them AH is an extension header of IPv6, which they look behind. */
  #protocolOf({ start, end }: Frame): number {
    const isIpv6 = this.#bytes[start]! >>> 4 === 6;
    return isIpv6 && findUpperLayerOrAh(this.#bytes, start, end) ? upperLayer.protocol : selectors.protocol;
  }

  /**
   * Takes a packet to an address of ours that is ESP or AH, or ESP or key exchange behind UDP, with its upper layer at `upper`;
   * false: it is none, or nobody here has an SA or has registered, and then it may be for a socket of the host.
   */
  takeProtected(frame: Frame, protocol: number, upper: number): boolean {
    if (!this.opens) return false;
    if (protocol === IpProtocol.udp) {
      if (!this.#opensUdp || frame.end - upper < UDP_HEADER_OCTETS) return false;
      if (read16(this.#bytes, upper + 2) !== this.natTraversalPort) return false;
    } else if (protocol !== IpsecProtocol.esp && protocol !== IpsecProtocol.ah) {
      return false;
    }
    frame.upperStart = upper;
    frame.upperProtocol = protocol;
    this.toOpen.push(frame);
    return true;
  }

  /** Whether the packet in `selectors` is one of key exchange, by this port of it. */
  #isKeyExchange(port: number): boolean {
    return selectors.protocol === IpProtocol.udp && (port === IKE_PORT || port === this.natTraversalPort);
  }
}
