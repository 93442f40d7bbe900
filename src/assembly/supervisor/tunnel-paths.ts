// Which device carries each tunnel: its local address, the self IP that has it, that one's VLAN, an interface of the VLAN.

import { parseAddressOrAny, parsePrefix, sameAddress, type IpAddress } from '../../core/address.ts';
import { tunnelOverhead } from '../../tunnel/overhead.ts';
import { serviceIsUdp, serviceNumber } from '../../tunnel/service.ts';
import type { ConfigView, Self, Tunnel } from '../dataplaned/config-view.ts';
import { shapeOf } from '../dataplaned/tunnel-shape.ts';

/** A tunnel over one interface of its underlay. */
export type TunnelRoute = {
  tunnel: string;
  innerMtu: number;
  overheadOctets: number;
  /** UDP port; undefined for an encapsulation without one. */
  port: number | undefined;
  vlan: string;
  vlanMtu: number;
  device: string;
};

/** What hosts use unless they are told otherwise. */
const ETHERNET_MTU = 1500;

/** One entry for each tunnel and each interface that may carry it; none for a tunnel whose local address nobody has. */
export function tunnelRoutes(view: ConfigView): TunnelRoute[] {
  return [...view.tunnels.values()].flatMap((tunnel) => {
    const local = parseAddressOrAny(tunnel.properties['local-address']);
    const shape = shapeOf(view, tunnel);
    const vlan = local && view.vlans.get(selfWith(view, local)?.properties.vlan ?? '');
    if (!shape || !vlan) return [];
    return Object.keys(vlan.properties.interfaces).flatMap((name) => {
      const device = view.interfaces.get(name)?.properties.device;
      if (device === undefined) return [];
      return [
        {
          tunnel: tunnel.name,
          innerMtu: innerMtu(view, tunnel),
          overheadOctets: tunnelOverhead(shape, local.family === 6),
          port: serviceIsUdp(shape.service) ? serviceNumber(shape.service) : undefined,
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
