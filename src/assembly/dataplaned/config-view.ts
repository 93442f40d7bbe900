// The configuration as the data plane reads it: objects by type and name, typed by their definitions.

import type { AnyConfigObject, ObjectOf } from '../../config/object-type.ts';
import { gtmListener, type Listener } from '../../config/types/gtm-listener.ts';
import { ltmGlobalSettingsGeneral } from '../../config/types/ltm-global-settings-general.ts';
import { ltmNode, type Node } from '../../config/types/ltm-node.ts';
import { ltmPool } from '../../config/types/ltm-pool.ts';
import { netArp } from '../../config/types/net-arp.ts';
import { netFdbTunnel } from '../../config/types/net-fdb-tunnel.ts';
import { netFdbVlan } from '../../config/types/net-fdb-vlan.ts';
import { netInterface } from '../../config/types/net-interface.ts';
import { IKE_DAEMON, type IkeDaemon, netIpsecIkeDaemon } from '../../config/types/net-ipsec-ike-daemon.ts';
import { netIpsecIpsecPolicy } from '../../config/types/net-ipsec-ipsec-policy.ts';
import { netIpsecManualSecurityAssociation } from '../../config/types/net-ipsec-manual-security-association.ts';
import { netIpsecTrafficSelector } from '../../config/types/net-ipsec-traffic-selector.ts';
import { netNdp } from '../../config/types/net-ndp.ts';
import { netRouteDomain } from '../../config/types/net-route-domain.ts';
import { netRoute } from '../../config/types/net-route.ts';
import { netSelf } from '../../config/types/net-self.ts';
import { netTunnelsEtherip } from '../../config/types/net-tunnels-etherip.ts';
import { netTunnelsGre } from '../../config/types/net-tunnels-gre.ts';
import { netTunnelsIpsec } from '../../config/types/net-tunnels-ipsec.ts';
import { netTunnelsTunnel } from '../../config/types/net-tunnels-tunnel.ts';
import { netTunnelsVxlan } from '../../config/types/net-tunnels-vxlan.ts';
import { netVlanGroup } from '../../config/types/net-vlan-group.ts';
import { netVlan } from '../../config/types/net-vlan.ts';
import { type DbVariable, sysDb } from '../../config/types/sys-db.ts';

export type Interface = ObjectOf<typeof netInterface>;
export type Vlan = ObjectOf<typeof netVlan>;
export type VlanGroup = ObjectOf<typeof netVlanGroup>;
export type Self = ObjectOf<typeof netSelf>;
export type RouteDomain = ObjectOf<typeof netRouteDomain>;
export type StaticRoute = ObjectOf<typeof netRoute>;
export type Pool = ObjectOf<typeof ltmPool>;
export type Arp = ObjectOf<typeof netArp>;
export type Ndp = ObjectOf<typeof netNdp>;
export type TunnelFdb = ObjectOf<typeof netFdbTunnel>;
export type VlanFdb = ObjectOf<typeof netFdbVlan>;
export type Tunnel = ObjectOf<typeof netTunnelsTunnel>;
export type VxlanProfile = ObjectOf<typeof netTunnelsVxlan>;
export type GreProfile = ObjectOf<typeof netTunnelsGre>;
export type EtheripProfile = ObjectOf<typeof netTunnelsEtherip>;
export type IpsecPolicy = ObjectOf<typeof netIpsecIpsecPolicy>;
export type ManualAssociation = ObjectOf<typeof netIpsecManualSecurityAssociation>;
export type TrafficSelector = ObjectOf<typeof netIpsecTrafficSelector>;
export type IpsecProfile = ObjectOf<typeof netTunnelsIpsec>;
export type GeneralSettings = ObjectOf<typeof ltmGlobalSettingsGeneral>;

export type ConfigView = {
  readonly interfaces: ReadonlyMap<string, Interface>;
  readonly vlans: ReadonlyMap<string, Vlan>;
  readonly vlanGroups: ReadonlyMap<string, VlanGroup>;
  readonly selfs: ReadonlyMap<string, Self>;
  readonly routeDomains: ReadonlyMap<string, RouteDomain>;
  readonly routes: ReadonlyMap<string, StaticRoute>;
  readonly nodes: ReadonlyMap<string, Node>;
  readonly pools: ReadonlyMap<string, Pool>;
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly arps: ReadonlyMap<string, Arp>;
  readonly ndps: ReadonlyMap<string, Ndp>;
  readonly tunnelFdbs: ReadonlyMap<string, TunnelFdb>;
  readonly vlanFdbs: ReadonlyMap<string, VlanFdb>;
  readonly tunnels: ReadonlyMap<string, Tunnel>;
  readonly vxlanProfiles: ReadonlyMap<string, VxlanProfile>;
  readonly greProfiles: ReadonlyMap<string, GreProfile>;
  readonly etheripProfiles: ReadonlyMap<string, EtheripProfile>;
  readonly ipsecPolicies: ReadonlyMap<string, IpsecPolicy>;
  readonly manualAssociations: ReadonlyMap<string, ManualAssociation>;
  readonly trafficSelectors: ReadonlyMap<string, TrafficSelector>;
  readonly ipsecProfiles: ReadonlyMap<string, IpsecProfile>;
  readonly ikeDaemon: IkeDaemon | undefined;
  readonly general: GeneralSettings | undefined;
  readonly variables: ReadonlyMap<string, DbVariable>;
};

/** Where all objects of a type are those of `before`, so is their map. */
export function viewOf(objects: Iterable<AnyConfigObject>, before?: ConfigView): ConfigView {
  const byType = new Map<string, Map<string, AnyConfigObject>>();
  for (const object of objects) {
    const ofType = byType.get(object.type) ?? new Map<string, AnyConfigObject>();
    byType.set(object.type, ofType.set(object.name, object));
  }
  // configd has validated each object against the definition that gives the type.
  const all = <T>(definition: { path: string }): ReadonlyMap<string, T> =>
    (byType.get(definition.path) ?? new Map()) as ReadonlyMap<string, T>;
  const view: ConfigView = {
    interfaces: all<Interface>(netInterface),
    vlans: all<Vlan>(netVlan),
    vlanGroups: all<VlanGroup>(netVlanGroup),
    selfs: all<Self>(netSelf),
    routeDomains: all<RouteDomain>(netRouteDomain),
    routes: all<StaticRoute>(netRoute),
    nodes: all<Node>(ltmNode),
    pools: all<Pool>(ltmPool),
    listeners: all<Listener>(gtmListener),
    arps: all<Arp>(netArp),
    ndps: all<Ndp>(netNdp),
    tunnelFdbs: all<TunnelFdb>(netFdbTunnel),
    vlanFdbs: all<VlanFdb>(netFdbVlan),
    tunnels: all<Tunnel>(netTunnelsTunnel),
    vxlanProfiles: all<VxlanProfile>(netTunnelsVxlan),
    greProfiles: all<GreProfile>(netTunnelsGre),
    etheripProfiles: all<EtheripProfile>(netTunnelsEtherip),
    ipsecPolicies: all<IpsecPolicy>(netIpsecIpsecPolicy),
    manualAssociations: all<ManualAssociation>(netIpsecManualSecurityAssociation),
    trafficSelectors: all<TrafficSelector>(netIpsecTrafficSelector),
    ipsecProfiles: all<IpsecProfile>(netTunnelsIpsec),
    ikeDaemon: all<IkeDaemon>(netIpsecIkeDaemon).get(IKE_DAEMON),
    general: [...all<GeneralSettings>(ltmGlobalSettingsGeneral).values()][0],
    variables: all<DbVariable>(sysDb),
  };
  return before === undefined ? view : { ...view, ...Object.fromEntries(sameMaps(before, view)) };
}

/** The maps of `before` that say the same as those of `view`. */
function* sameMaps(before: ConfigView, view: ConfigView): Generator<[string, ConfigView[keyof ConfigView]], void> {
  for (const name of Object.keys(view) as (keyof ConfigView)[]) {
    const [old, now] = [before[name], view[name]];
    if (old instanceof Map && now instanceof Map && sameEntries(old, now)) yield [name, old];
  }
}

function sameEntries(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a.size !== b.size) return false;
  const order = a.keys();
  for (const [key, value] of b) if (order.next().value !== key || a.get(key) !== value) return false;
  return true;
}

/** The address of a self IP without its length. */
export const bareAddress = (self: Self): string => self.properties.address.split('/')[0]!;
