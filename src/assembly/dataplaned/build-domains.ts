// The bridge domains: which VLANs and tunnels share one, what holds between them, and the MAC that is ours there.

import type { CrossingSpec } from '../../bridge/crossing.ts';
import { carriesPackets, ownsDevice } from '../../config/types/net-interface.ts';
import { kept } from '../../core/kept.ts';
import { kindIsLayer3 } from '../../tunnel/tunnel.ts';
import { isIpsecTunnel } from './build-ipsec.ts';
import { routeDomainsOf } from './build-routes.ts';
import type { ConfigView, Tunnel, Vlan, VlanGroup } from './config-view.ts';
import { madeMac } from './made-mac.ts';
import type { DeviceFacts, DomainModel, Failure, Model } from './model.ts';
import type { Mac } from './spec.ts';
import { shapeOf } from './tunnel-shape.ts';

/** Adds the domains to a model that has its interfaces. */
export function addDomains(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>, model: Model): void {
  new DomainBuilder(view, devices, model).add();
}

class DomainBuilder {
  readonly #view: ConfigView;
  readonly #devices: ReadonlyMap<string, DeviceFacts>;
  readonly #model: Model;
  readonly #vlansOf = new Map<string, Vlan[]>();
  readonly #tunnelsOf = new Map<string, Tunnel[]>();

  constructor(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>, model: Model) {
    this.#view = view;
    this.#devices = devices;
    this.#model = model;
  }

  add(): void {
    const { domains, domainOf, failures } = this.#model;
    const { vlanGroups, vlans, tunnels } = this.#view;
    for (const { name, properties } of vlanGroups.values()) {
      for (const member of properties.members) domainOf.set(member, name);
      domainOf.set(name, name);
    }
    for (const name of [...vlans.keys(), ...tunnels.keys()]) if (!domainOf.has(name)) domainOf.set(name, name);
    for (const vlan of vlans.values()) addTo(this.#vlansOf, domainOf.get(vlan.name)!, vlan);
    for (const tunnel of tunnels.values()) addTo(this.#tunnelsOf, domainOf.get(tunnel.name)!, tunnel);
    const routeDomainOf = routeDomainsOf(this.#view);
    for (const name of new Set(domainOf.values())) {
      const group = vlanGroups.get(name);
      const crossing = group && crossingOf(group);
      if (group?.properties.mode === 'virtual-wire') {
        const reason = 'mode virtual-wire has no data path in this version: frames are bridged as with transparent';
        failures.push(failureOf(group, reason));
      }
      const { isLayer3, mac } = this.#ourEnd(name, crossing?.mode === 'opaque');
      const source = (group ?? vlans.get(name) ?? tunnels.get(name))!;
      domains.set(name, domainModel(source, crossing, routeDomainOf.get(name) ?? 0, isLayer3, mac?.high, mac?.low));
    }
  }

  /** Our own MAC in a domain is that of the first device; without one it is made from the name. */
  #ourEnd(name: string, needsMac: boolean): { isLayer3: boolean; mac: Mac | undefined } {
    // A domain of packets has none: nothing that it carries is addressed by a MAC.
    const vlans = this.#vlansOf.get(name) ?? [];
    if (this.#isTunnelOfPackets(name) || vlans.some((vlan) => this.#carriesPackets(vlan))) {
      return { isLayer3: true, mac: undefined };
    }
    const device = vlans.flatMap((vlan) => this.#ringDevices(vlan))[0];
    const mac = device === undefined ? undefined : this.#devices.get(device)?.mac;
    // Without a MAC an opaque group could hide nobody behind it.
    const isMade = mac === undefined && (needsMac || (device === undefined && this.#needsMac(vlans)));
    return { isLayer3: false, mac: isMade ? this.#madeMac(name) : mac };
  }

  /** The two ends of a tunnel often have one name for it; its local address tells them apart. */
  #madeMac(name: string): Mac {
    const tunnels = this.#tunnelsOf.get(name) ?? [];
    return madeMac(name + tunnels.map(({ properties }) => ` ${properties['local-address']}`).join(''));
  }

  #isTunnelOfPackets(name: string): boolean {
    const tunnel = this.#view.tunnels.get(name);
    if (tunnel !== undefined && isIpsecTunnel(this.#view, tunnel)) return true;
    const shape = tunnel && shapeOf(this.#view, tunnel);
    return shape !== undefined && kindIsLayer3(shape.kind);
  }

  #carriesPackets(vlan: Vlan): boolean {
    return Object.keys(vlan.properties.interfaces).some((name) => {
      const port = this.#view.interfaces.get(name);
      return port !== undefined && carriesPackets(port.properties.adapter);
    });
  }

  /** Whether a domain of these VLANs has no device that could lend its MAC: that of a TAP is the host's behind it. */
  #needsMac(vlans: readonly Vlan[]): boolean {
    const interfaces = vlans.flatMap((vlan) => Object.keys(vlan.properties.interfaces));
    return vlans.length === 0 || interfaces.some((name) => this.#model.interfaces.get(name)?.adapter === 'tap');
  }

  /** Devices of the VLAN that we own, in the order of its interfaces. */
  #ringDevices(vlan: Vlan): string[] {
    return Object.keys(vlan.properties.interfaces).flatMap((name) => {
      const port = this.#model.interfaces.get(name);
      return port !== undefined && ownsDevice(port.adapter) ? [port.device] : [];
    });
  }
}

function addTo<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

const failureOf = ({ type, name }: VlanGroup, reason: string): Failure => ({ object: `${type} ${name}`, reason });

/** What holds between the members of a group. */
const crossingOf = kept(({ properties: { mode, ...properties } }: VlanGroup): CrossingSpec => ({
  mode: mode === 'virtual-wire' ? 'transparent' : mode,
  bridgesAll: properties['bridge-traffic'],
  bridgesMulticast: properties['bridge-multicast'],
  bridgesInStandby: properties['bridge-in-standby'],
}));

const domainModel = kept(
  (
    { name }: Vlan | VlanGroup | Tunnel,
    crossing: CrossingSpec | undefined,
    routeDomain: number,
    isLayer3: boolean,
    macHigh: number | undefined,
    macLow: number | undefined,
  ): DomainModel => {
    const mac = macHigh === undefined || macLow === undefined ? undefined : { high: macHigh, low: macLow };
    return { name, mac, crossing, routeDomain, isLayer3 };
  },
);
