// Which device carries each tunnel: its local address, the self IP that has it, that one's VLAN, an interface of the VLAN.

import { tunnelOverhead } from '../../tunnel/overhead.ts';
import { serviceIsUdp, serviceNumber } from '../../tunnel/service.ts';
import { bareAddress, type ConfigView } from '../dataplaned/config-view.ts';
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
  const vlans = vlansByAddress(view);
  const promised = mtusOfGroups(view);
  return [...view.tunnels.values()].flatMap((tunnel) => {
    const local = tunnel.properties['local-address'];
    const shape = shapeOf(view, tunnel);
    const vlan = view.vlans.get(vlans.get(local) ?? '');
    if (!shape || !vlan) return [];
    const { mtu } = tunnel.properties;
    const innerMtu = mtu > 0 ? mtu : (promised.get(tunnel.name) ?? ETHERNET_MTU);
    return Object.keys(vlan.properties.interfaces).flatMap((name) => {
      const device = view.interfaces.get(name)?.properties.device;
      if (device === undefined) return [];
      return [
        {
          tunnel: tunnel.name,
          innerMtu,
          overheadOctets: tunnelOverhead(shape, local.includes(':')),
          port: serviceIsUdp(shape.service) ? serviceNumber(shape.service) : undefined,
          vlan: vlan.name,
          vlanMtu: vlan.properties.mtu,
          device,
        },
      ];
    });
  });
}

/** The VLAN of each self IP, by address; of two with one address the first counts. */
function vlansByAddress(view: ConfigView): Map<string, string> {
  const vlans = new Map<string, string>();
  for (const self of view.selfs.values()) {
    const address = bareAddress(self);
    if (!vlans.has(address)) vlans.set(address, self.properties.vlan);
  }
  return vlans;
}

/** What the VLANs of its group promise the hosts of a tunnel that says nothing itself. */
function mtusOfGroups(view: ConfigView): Map<string, number> {
  const mtus = new Map<string, number>();
  for (const { properties } of view.vlanGroups.values()) {
    const ofVlans = properties.members.flatMap((member) => view.vlans.get(member)?.properties.mtu ?? []);
    if (ofVlans.length === 0) continue;
    const most = Math.max(...ofVlans);
    for (const member of properties.members) if (!mtus.has(member)) mtus.set(member, most);
  }
  return mtus;
}
