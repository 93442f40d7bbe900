// A traffic selector: which packets a policy is for (RFC 4301, section 4.4.1).

import type { AddressWords } from '../core/address.ts';

export type Direction = 'in' | 'out';
export type SelectorAction = 'protect' | 'bypass' | 'discard';

/** A protocol that stands for all of them, as in tmsh. */
export const ANY_PROTOCOL = 255;
/** The number of the policy of a selector that protects nothing. */
export const NO_POLICY = -1;

/** One direction of a selector: addresses and ports are those of the packets. */
export type SelectorSpec = {
  readonly id: number;
  readonly name: string;
  /** Of its counters. */
  readonly row: number;
  /** The route domain whose packets it is for, or the tunnel (tunnelScope). */
  readonly scope: number;
  readonly direction: Direction;
  readonly action: SelectorAction;
  /** Number of the policy that protects. */
  readonly policy: number;
  /** The lowest that matches wins; among equals, the one with the lower id. */
  readonly order: number;
  readonly isIpv6: boolean;
  readonly source: AddressWords;
  readonly sourceBits: number;
  readonly destination: AddressWords;
  readonly destinationBits: number;
  /** 0: any. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** ANY_PROTOCOL: any. */
  readonly protocol: number;
};

/** The scope of the selectors of an interface mode tunnel: its packets meet no others. `member`: of the bridge. */
export const tunnelScope = (member: number): number => -1 - member;
