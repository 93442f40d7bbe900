// What the profile of a tunnel says of its encapsulation, whichever type the profile has.

import { kept } from '../../core/kept.ts';
import { udpService, protocolService } from '../../tunnel/service.ts';
import { protocolOf } from '../../tunnel/direct-ip.ts';
import { type GreOptions, TunnelKind } from '../../tunnel/tunnel.ts';
import { EtherIpForm } from '../../wire/etherip.ts';
import type { ConfigView, EtheripProfile, GreProfile, Tunnel, VxlanProfile } from './config-view.ts';

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

export type ProfileMaps = 'vxlanProfiles' | 'greProfiles' | 'etheripProfiles';

/** undefined when the profile is of a type that has no data path here, or is missing. */
export function shapeOf(view: Pick<ConfigView, ProfileMaps>, tunnel: Tunnel): TunnelShape | undefined {
  const { profile } = tunnel.properties;
  return shapeBy(
    tunnel,
    view.vxlanProfiles.get(profile),
    view.greProfiles.get(profile),
    view.etheripProfiles.get(profile),
  );
}

const shapeBy = kept(
  (
    { properties: { key } }: Tunnel,
    vxlan: VxlanProfile | undefined,
    gre: GreProfile | undefined,
    etherip: EtheripProfile | undefined,
  ): TunnelShape | undefined => {
    const none = { gre: undefined, etherIpForm: undefined, vxlan: undefined };
    if (vxlan !== undefined) {
      const { port, 'flooding-type': flooding } = vxlan.properties;
      return { ...none, kind: TunnelKind.vxlan, service: udpService(port), key, flooding, vxlan };
    }
    if (gre !== undefined) {
      const { encapsulation, 'flooding-type': flooding, ...properties } = gre.properties;
      const kind = GRE_KINDS[encapsulation];
      const options = {
        sendsChecksum: properties['tx-csum'],
        verifiesChecksum: properties['rx-csum'],
        sendsSequence: properties['tx-sequence'],
        checksSequence: properties['rx-sequence'],
      };
      return { ...none, kind, service: protocolService(protocolOf(kind)), key, flooding, gre: options };
    }
    if (etherip === undefined) return undefined;
    const etherIpForm = etherip.properties['version-nibble'] === 'low' ? EtherIpForm.lowNibble : EtherIpForm.rfc;
    const kind = TunnelKind.etherip;
    return { ...none, kind, service: protocolService(protocolOf(kind)), key: 0, flooding: 'none', etherIpForm };
  },
);
