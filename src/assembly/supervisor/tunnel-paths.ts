// Which device carries each tunnel: its local address, the self IP that has it, that one's VLAN, an interface of the VLAN.

import { parseAddressOrAny, parsePrefix, sameAddress, type IpAddress } from '../../core/address.ts';
import type { ConfigView, Self, Tunnel } from '../dataplaned/config-view.ts';

/** A tunnel over one interface of its underlay. */
export type TunnelRoute = {
  tunnel: string;
  innerMtu: number;
  overheadOctets: number;
  port: number;
  vlan: string;
  vlanMtu: number;
  device: string;
};

/** Inner Ethernet, VXLAN, UDP and outer IPv4 header; IPv6 takes 20 octets more (RFC 7348, section 5). */
const VXLAN_OVERHEAD = { 4: 14 + 8 + 8 + 20, 6: 14 + 8 + 8 + 40 } as const;

/** What hosts use unless they are told otherwise. */
const ETHERNET_MTU = 1500;

/** One entry for each tunnel and each interface that may carry it; none for a tunnel whose local address nobody has. */
export function tunnelRoutes(view: ConfigView): TunnelRoute[] {
  return [...view.tunnels.values()].flatMap((tunnel) => {
    const local = parseAddressOrAny(tunnel.properties['local-address']);
    const profile = view.vxlanProfiles.get(tunnel.properties.profile);
    const vlan = local && view.vlans.get(selfWith(view, local)?.properties.vlan ?? '');
    if (!profile || !vlan) return [];
    return Object.keys(vlan.properties.interfaces).flatMap((name) => {
      const device = view.interfaces.get(name)?.properties.device;
      if (device === undefined) return [];
      return [
        {
          tunnel: tunnel.name,
          innerMtu: innerMtu(view, tunnel),
          overheadOctets: VXLAN_OVERHEAD[local.family],
          port: profile.properties.port,
          vlan: vlan.name,
          vlanMtu: vlan.properties.mtu,
          device,
        },
      ];
    });
  });
}

function selfWith(view: ConfigView, local: IpAddress): Self | undefined {
  return [...view.selfs.values()].find((self) => {
    const prefix = parsePrefix(self.properties.address);
    return prefix !== undefined && sameAddress(prefix.address, local);
  });
}

/** What the tunnel promises its hosts, or what the VLANs of its group do, or what hosts assume. */
function innerMtu(view: ConfigView, tunnel: Tunnel): number {
  if (tunnel.properties.mtu > 0) return tunnel.properties.mtu;
  const group = [...view.vlanGroups.values()].find(({ properties }) => properties.members.includes(tunnel.name));
  const mtus = (group?.properties.members ?? []).flatMap((member) => view.vlans.get(member)?.properties.mtu ?? []);
  return mtus.length > 0 ? Math.max(...mtus) : ETHERNET_MTU;
}
