// What tells tunnels between the same ends apart, by the encapsulation of their profile; for checks across tunnels.

import type { ObjectContext } from './remembered.ts';
import { netTunnelsEtherip } from './types/net-tunnels-etherip.ts';
import { netTunnelsGre } from './types/net-tunnels-gre.ts';
import { netTunnelsIpsec } from './types/net-tunnels-ipsec.ts';
import { netTunnelsVxlan } from './types/net-tunnels-vxlan.ts';

/** 24 bits: a VNI (RFC 7348, section 5) or a VSID (RFC 7637, section 3.2). */
const MAX_24 = 0xff_ffff;
const MAX_32 = 0xffff_ffff;

export type Encapsulation = {
  kind: 'vxlan' | 'gre' | 'teb' | 'nvgre' | 'etherip' | 'ipsec';
  /** As messages call it. */
  label: string;
  /** What messages call the key. */
  keyName: string;
  maxKey: number;
  flooding: string | undefined;
  /** Of VXLAN. */
  port: number | undefined;
  /** Of IPsec: the traffic selector. */
  selector?: string;
};

const GRE_KINDS = {
  standard: { kind: 'gre', label: 'GRE', keyName: 'GRE key', maxKey: MAX_32 },
  'transparent-ethernet-bridging': { kind: 'teb', label: 'GRE', keyName: 'GRE key', maxKey: MAX_32 },
  nvgre: { kind: 'nvgre', label: 'NVGRE', keyName: 'VSID', maxKey: MAX_24 },
} as const;

/** The encapsulation of a tunnel profile of whichever type; undefined when there is no such profile. */
export function encapsulationOf(profile: string, context: Pick<ObjectContext, 'find'>): Encapsulation | undefined {
  const vxlan = context.find(netTunnelsVxlan, profile)?.properties;
  if (vxlan !== undefined) {
    const { port, 'flooding-type': flooding } = vxlan;
    return { kind: 'vxlan', label: 'VXLAN', keyName: 'VNI', maxKey: MAX_24, flooding, port };
  }
  const gre = context.find(netTunnelsGre, profile)?.properties;
  if (gre !== undefined) return { ...GRE_KINDS[gre.encapsulation], flooding: gre['flooding-type'], port: undefined };
  const ipsec = context.find(netTunnelsIpsec, profile)?.properties;
  if (ipsec !== undefined) {
    const selector = ipsec['traffic-selector'];
    return { kind: 'ipsec', label: 'IPsec', keyName: 'key', maxKey: 0, flooding: undefined, port: undefined, selector };
  }
  if (context.find(netTunnelsEtherip, profile) === undefined) return undefined;
  return { kind: 'etherip', label: 'EtherIP', keyName: 'key', maxKey: 0, flooding: undefined, port: undefined };
}

/** Whether tunnels of the encapsulation carry IP packets, which nothing can bridge. */
export function isLayer3({ kind }: Encapsulation): boolean {
  return kind === 'gre' || kind === 'ipsec';
}

/** `shared`: others that share by the same word may have the place as well. */
export type KeyPlace = { place: string; shared?: string };

/**
 * What two tunnels between the same ends cannot both have. A packet with a GRE key for frames may also be one of the virtual
 * subnet that the first 24 bits of the key name.
 */
export function keyPlaces({ kind, port, selector }: Encapsulation, key: number): KeyPlace[] {
  switch (kind) {
    case 'vxlan':
      return [{ place: `vxlan ${port} ${key}` }];
    case 'gre':
      return [{ place: `packets ${key}` }];
    case 'teb':
      if (key === 0) return [{ place: 'frames' }];
      return [{ place: `frames ${key}` }, { place: `subnet ${Math.floor(key / 256)}`, shared: 'frames' }];
    case 'nvgre':
      return [{ place: `subnet ${key}` }];
    case 'etherip':
      return [{ place: 'etherip' }];
    case 'ipsec':
      return [{ place: `ipsec ${selector}` }];
  }
}
