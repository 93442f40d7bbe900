// Derives the wanted state of the data plane from the configuration and from what the machine's devices are, defaults resolved.
// Built at every change, from nothing but its input. Parts of it that follow from the same objects as before are the same
// objects as before (core/kept.ts): nobody may change them.

import { parseAddress, parsePrefix, wordsShareNetwork } from '../../core/address.ts';
import { kept } from '../../core/kept.ts';
import { macHigh16, macLow32, parseMac } from '../../core/mac.ts';
import { EtherType } from '../../wire/ethernet.ts';
import { UDP_ENCAPSULATION_PORT } from '../../wire/udp-encapsulation.ts';
import { carriesFrames, makesDevice } from '../../config/types/net-interface.ts';
import { addDomains } from './build-domains.ts';
import { addIpsec } from './build-ipsec.ts';
import { parentsOf, RouteBuilder } from './build-routes.ts';
import { addStaticTables } from './build-static-tables.ts';
import { addTunnels, hostInterfaceOf } from './build-tunnels.ts';
import type { ConfigView, Interface, Self, Vlan } from './config-view.ts';
import { allowedServices, buildHostPaths } from './host-path-model.ts';
import type { DeviceFacts, FilesModel, InterfaceMemberModel, Model, SelfModel } from './model.ts';
import type { Mac } from './spec.ts';

/** Seconds after which a learned station that is not heard is forgotten (`l2-cache-timeout`). */
const DEFAULT_AGEING_SECONDS = 300;
/** `l2-cache-limit`. */
const DEFAULT_LEARNED_LIMIT = 65_536;
/** What `natt-keep-alive 0` means, as on a BIG-IP. */
const DEFAULT_KEEPALIVE_SECONDS = 20;
/** Of a TAP device that is in no VLAN. */
const ETHERNET_MTU = 1500;

export function buildModel(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>): Model {
  return new ModelBuilder(view, devices).build();
}

class ModelBuilder {
  readonly #view: ConfigView;
  readonly #devices: ReadonlyMap<string, DeviceFacts>;
  readonly #model: Model = {
    interfaces: new Map(),
    domains: new Map(),
    interfaceMembers: new Map(),
    tunnelMembers: new Map(),
    sockets: new Map(),
    selfs: new Map(),
    hostPaths: new Map(),
    routeDomains: new Map(),
    routes: [],
    staticTables: new Map(),
    neighbours: new Map(),
    selectors: new Map(),
    associations: new Map(),
    ipsecTunnels: new Map(),
    ipsecSettings: { natTraversalPort: UDP_ENCAPSULATION_PORT, keepaliveSeconds: DEFAULT_KEEPALIVE_SECONDS },
    tapMtus: new Map(),
    domainOf: new Map(),
    ageingSeconds: DEFAULT_AGEING_SECONDS,
    learnedLimit: DEFAULT_LEARNED_LIMIT,
    failures: [],
  };

  constructor(view: ConfigView, devices: ReadonlyMap<string, DeviceFacts>) {
    this.#view = view;
    this.#devices = devices;
  }

  build(): Model {
    const general = this.#view.general?.properties;
    if (general !== undefined) {
      this.#model.ageingSeconds = general['l2-cache-timeout'];
      this.#model.learnedLimit = general['l2-cache-limit'];
    }
    const ike = this.#view.ikeDaemon?.properties;
    if (ike !== undefined) {
      const keepaliveSeconds = ike['natt-keep-alive'] || DEFAULT_KEEPALIVE_SECONDS;
      this.#model.ipsecSettings = { natTraversalPort: ike['isakmp-natt-port'], keepaliveSeconds };
    }
    this.#addInterfaces();
    addDomains(this.#view, this.#devices, this.#model);
    this.#addInterfaceMembers();
    this.#addSelfs();
    addTunnels(this.#view, this.#devices, this.#model);
    addIpsec(this.#view, this.#model);
    this.#addTapMtus();
    addStaticTables(this.#view, this.#model);
    this.#addNeighbours();
    this.#addRoutes();
    this.#model.hostPaths = buildHostPaths(this.#view, this.#model);
    return this.#model;
  }

  #addRoutes(): void {
    this.#model.routeDomains = parentsOf(this.#view);
    const { routes, failures } = new RouteBuilder(this.#view, this.#model).build();
    this.#model.routes = routes;
    this.#model.failures.push(...failures);
  }

  #fail(object: { type: string; name: string }, reason: string): void {
    this.#model.failures.push({ object: `${object.type} ${object.name}`, reason });
  }

  #addInterfaces(): void {
    for (const { name, properties } of this.#view.interfaces.values()) {
      const { device, adapter, enabled, 'tunnel-offload': tunnelOffload } = properties;
      const files = adapter === 'capture-file' ? filesOf(properties) : undefined;
      if ((device === undefined && files === undefined) || !enabled) continue;
      this.#model.interfaces.set(name, {
        ...{ name, device: device ?? '', adapter, tunnelOffload, files },
        finishesFrames: properties['transmit-offloads'] === 'off',
        receiveOffloads: properties['receive-offloads'],
      });
    }
  }

  #addInterfaceMembers(): void {
    for (const vlan of this.#view.vlans.values()) {
      const domain = this.#model.domainOf.get(vlan.name)!;
      for (const [name, record] of Object.entries(vlan.properties.interfaces)) {
        const port = this.#view.interfaces.get(name);
        if (port === undefined || !carriesFrames(port.properties.adapter)) continue;
        const member = interfaceMember(record, vlan, port, domain);
        this.#model.interfaceMembers.set(member.key, member);
      }
    }
  }

  #addSelfs(): void {
    for (const self of this.#view.selfs.values()) {
      const domain = this.#model.domainOf.get(self.properties.vlan);
      if (domain === undefined || hostInterfaceOf(this.#view, self)?.properties.device !== undefined) continue;
      const model = selfModel(self, domain, this.#view.listeners);
      if (model !== undefined) this.#model.selfs.set(self.name, model);
    }
  }

  #addTapMtus(): void {
    const { interfaces, interfaceMembers, tunnelMembers, tapMtus } = this.#model;
    const least = new Map<string, number>();
    for (const member of interfaceMembers.values()) {
      const port = interfaces.get(member.interface);
      if (port === undefined || !makesDevice(port.adapter)) continue;
      const mtus = [...interfaceMembers.values(), ...tunnelMembers.values()].flatMap((other) =>
        other.domain !== member.domain ? [] : ['tunnel' in other ? other.tunnel.mtu : other.mtu],
      );
      least.set(member.interface, Math.min(...mtus, least.get(member.interface) ?? Infinity));
    }
    for (const { name, adapter } of interfaces.values()) {
      if (makesDevice(adapter)) tapMtus.set(name, least.get(name) ?? ETHERNET_MTU);
    }
  }

  #addNeighbours(): void {
    for (const entry of [...this.#view.arps.values(), ...this.#view.ndps.values()]) {
      const { properties } = entry;
      const address = parseAddress(properties['ip-address']);
      const mac = macOf(properties['mac-address']);
      if (address === undefined || mac === undefined) continue;
      const { words } = address;
      const self = [...this.#model.selfs.values()].find(
        ({ isIpv6, words: own, prefixBits, routeDomain }) =>
          isIpv6 === (address.family === 6) &&
          routeDomain === address.routeDomain &&
          wordsShareNetwork(own, words, prefixBits, isIpv6),
      );
      if (self === undefined) {
        this.#fail(entry, `ip-address ${properties['ip-address']} is on the network of no self IP`);
        continue;
      }
      const key = `${self.domain} ${properties['ip-address']}`;
      this.#model.neighbours.set(key, { domain: self.domain, address: words, mac });
    }
  }
}

type InterfaceRecord = Vlan['properties']['interfaces'][string];

const interfaceMember = kept(
  (
    { tagged, 'tag-mode': mode }: InterfaceRecord,
    vlan: Vlan,
    { name, properties: { enabled, 'qinq-ethertype': serviceTpid } }: Interface,
    domain: string,
  ): InterfaceMemberModel => ({
    key: `${vlan.name} ${name}`,
    name: `${vlan.name} on ${name}`,
    domain,
    interface: name,
    ...wireTags(vlan, tagged, mode, Number(serviceTpid)),
    mtu: vlan.properties.mtu,
    enabled,
    segment: vlan.name,
    checksSource: vlan.properties['source-checking'],
  }),
);

const selfModel = kept((self: Self, domain: string, listeners: ConfigView['listeners']): SelfModel | undefined => {
  const prefix = parsePrefix(self.properties.address);
  if (prefix === undefined) return undefined;
  const { words, routeDomain, family } = prefix.address;
  const services = allowedServices(self, listeners);
  return { name: self.name, domain, words, isIpv6: family === 6, prefixBits: prefix.length, services, routeDomain };
});

/** The tags that frames of a VLAN carry on an interface. */
function wireTags(
  { properties }: Vlan,
  tagged: boolean,
  mode: 'none' | 'customer' | 'service' | 'double',
  serviceTpid: number,
): Pick<InterfaceMemberModel, 'vlan' | 'innerVlan' | 'tpid'> {
  const { tag, 'customer-tag': customer = 0 } = properties;
  if (!tagged) return { vlan: 0, innerVlan: 0, tpid: EtherType.vlan };
  if (mode === 'customer') return { vlan: customer, innerVlan: 0, tpid: EtherType.vlan };
  if (mode === 'none') return { vlan: tag, innerVlan: 0, tpid: EtherType.vlan };
  return { vlan: tag, innerVlan: mode === 'double' ? customer : 0, tpid: serviceTpid };
}
const filesOf = (properties: Interface['properties']): FilesModel => ({
  replay: properties['replay-file'],
  record: properties['record-file'],
  timed: properties['replay-timing'] === 'recorded',
  delayMs: properties['replay-delay'] * 1000,
});

function macOf(text: string): Mac | undefined {
  const octets = parseMac(text);
  return octets === undefined ? undefined : { high: macHigh16(octets), low: macLow32(octets) };
}
