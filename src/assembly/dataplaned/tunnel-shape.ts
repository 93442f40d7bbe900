// What the profile of a tunnel says of its encapsulation, whichever type the profile has.

import { udpService, protocolService } from '../../tunnel/service.ts';
import { protocolOf } from '../../tunnel/direct-ip.ts';
import { type GreOptions, TunnelKind } from '../../tunnel/tunnel.ts';
import { EtherIpForm } from '../../wire/etherip.ts';
import type { ConfigView, Tunnel, VxlanProfile } from './config-view.ts';

export type TunnelShape = {
  kind: TunnelKind;
  /** UDP port or IP protocol, as in service.ts. */
  service: number;
  /** VNI, VSID or GRE key. */
  key: number;
  flooding: 'none' | 'multicast' | 'multipoint' | 'replicator';
  gre: GreOptions | undefined;
  etherIpForm: EtherIpForm | undefined;
  /** Of VXLAN. */
  vxlan: VxlanProfile | undefined;
};

const GRE_KINDS = {
  standard: TunnelKind.gre,
  'transparent-ethernet-bridging': TunnelKind.teb,
  nvgre: TunnelKind.nvgre,
} as const;

/** undefined when the profile is of a type that has no data path here, or is missing. */
export function shapeOf(view: ConfigView, { properties }: Tunnel): TunnelShape | undefined {
  const { key, profile } = properties;
  const none = { gre: undefined, etherIpForm: undefined, vxlan: undefined };
  const vxlan = view.vxlanProfiles.get(profile);
  if (vxlan !== undefined) {
    const { port, 'flooding-type': flooding } = vxlan.properties;
    return { ...none, kind: TunnelKind.vxlan, service: udpService(port), key, flooding, vxlan };
  }
  const gre = view.greProfiles.get(profile)?.properties;
  if (gre !== undefined) {
    const kind = GRE_KINDS[gre.encapsulation];
    const options = {
      sendsChecksum: gre['tx-csum'],
      verifiesChecksum: gre['rx-csum'],
      sendsSequence: gre['tx-sequence'],
      checksSequence: gre['rx-sequence'],
    };
    const service = protocolService(protocolOf(kind));
    return { ...none, kind, service, key, flooding: gre['flooding-type'], gre: options };
  }
  const etherip = view.etheripProfiles.get(profile)?.properties;
  if (etherip === undefined) return undefined;
  const etherIpForm = etherip['version-nibble'] === 'low' ? EtherIpForm.lowNibble : EtherIpForm.rfc;
  const kind = TunnelKind.etherip;
  return { ...none, kind, service: protocolService(protocolOf(kind)), key: 0, flooding: 'none', etherIpForm };
}
