// Tunnels of which some packets leave in the clear although a traffic selector is for them, as the state of the configuration has
// them: what is certain configd refuses (src/config/check-unprotected.ts).

import { unprotectedTunnels, type Lookup } from '../../config/check-unprotected.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { netInterface } from '../../config/types/net-interface.ts';
import { netIpsecIpsecPolicy } from '../../config/types/net-ipsec-ipsec-policy.ts';
import { netIpsecTrafficSelector } from '../../config/types/net-ipsec-traffic-selector.ts';
import { netTunnelsEtherip } from '../../config/types/net-tunnels-etherip.ts';
import { netTunnelsGre } from '../../config/types/net-tunnels-gre.ts';
import { netTunnelsIpsec } from '../../config/types/net-tunnels-ipsec.ts';
import { netTunnelsVxlan } from '../../config/types/net-tunnels-vxlan.ts';
import { netVlan } from '../../config/types/net-vlan.ts';
import type { ConfigView } from './config-view.ts';
import type { Failure } from './model.ts';

export function unprotectedFailures(view: ConfigView): Failure[] {
  if (view.trafficSelectors.size === 0) return [];
  return unprotectedTunnels(view.tunnels.values(), view.selfs.values(), lookupOf(view)).map(
    ({ tunnel, text, hint }) => ({
      object: `${tunnel.type} ${tunnel.name}`,
      reason: `${text}. ${hint}`,
    }),
  );
}

function lookupOf(view: ConfigView): Lookup {
  const byType = new Map<string, ReadonlyMap<string, AnyConfigObject>>([
    [netInterface.path, view.interfaces],
    [netVlan.path, view.vlans],
    [netIpsecIpsecPolicy.path, view.ipsecPolicies],
    [netIpsecTrafficSelector.path, view.trafficSelectors],
    [netTunnelsVxlan.path, view.vxlanProfiles],
    [netTunnelsGre.path, view.greProfiles],
    [netTunnelsEtherip.path, view.etheripProfiles],
    [netTunnelsIpsec.path, view.ipsecProfiles],
  ]);
  // The maps hold what their types say.
  const find = ({ path }: { path: string }, name: string): unknown => byType.get(path)?.get(name);
  const all = ({ path }: { path: string }): unknown => [...(byType.get(path)?.values() ?? [])];
  return { find, all } as Lookup;
}
