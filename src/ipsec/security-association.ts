// A security association (RFC 4301, section 4.4.2): one direction, one SPI, one set of keys, and how far its sequence numbers are.

import type { AddressWords, IpFamily } from '../core/address.ts';
import type { Transform } from './crypto.ts';

export const IpsecProtocol = { esp: 50, ah: 51 } as const;
export type IpsecProtocol = (typeof IpsecProtocol)[keyof typeof IpsecProtocol];

/** The don't-fragment flag of an IPv4 outer header: that of the inner packet (IPv6 counts as set), or always the same. */
export type OuterDontFragment = 'copy' | 'set' | 'clear';

/** When an SA has done enough; 0: no such limit. `octets` are those of the packets inside. */
export type Lifetime = { readonly octets: number; readonly packets: number; readonly seconds: number };

export const NO_LIFETIME: Lifetime = { octets: 0, packets: 0, seconds: 0 };

/** What somebody adds: the configuration, later a key exchange. The keys stand elsewhere, as a handle of the batch. */
export type SecurityAssociationSpec = {
  /** 256 to 4294967295. */
  readonly spi: number;
  readonly protocol: IpsecProtocol;
  readonly isTunnel: boolean;
  /** Ends of the SA: in tunnel mode the addresses of the outer header, which is of this family. */
  readonly family: IpFamily;
  readonly source: AddressWords;
  readonly destination: AddressWords;
  readonly transform: Transform;
  /** Whether sequence numbers have 64 bits, of which 32 are sent. */
  readonly extended: boolean;
  /** Packets that the replay window looks back, a multiple of 32; 0: no check. */
  readonly replayWindow: number;
  /** Whether payloads are compressed before (RFC 3173), where that is worth it; 0 none, 2 DEFLATE. */
  readonly compression: 0 | 2;
  /** CPI that packets are compressed under: 2, the well-known one, or one that was negotiated, 256 to 61439. Both are accepted. */
  readonly compressionIndex: number;
  /** Both 0: none; otherwise the UDP ports that packets are encapsulated with (RFC 3948). */
  readonly udpSourcePort: number;
  readonly udpDestinationPort: number;
  /** Whether AH over IPv4 is padded to 8 octets, as Linux does, instead of 4 (RFC 4302, section 3.3.3.2.1). */
  readonly ahAlign8: boolean;
  /** Of the outer header, in tunnel mode over IPv4. */
  readonly dontFragment: OuterDontFragment;
  /** Reached: time to make a successor. */
  readonly softLifetime: Lifetime;
  /** Reached: carries nothing any more. */
  readonly hardLifetime: Lifetime;
};
