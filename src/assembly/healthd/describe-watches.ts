// What is watched: of servers, virtual servers, pools and nodes those that a monitor watches, where each is probed, and by which rule.

import { parseDestination, splitVirtualServerKey } from '../../config/gtm-kinds.ts';
import { memberAddress, memberNode, memberPort } from '../../config/ltm-kinds.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Properties, Records, Value } from '../../config/value.ts';
import { formatBareAddress, isUnspecified, parseAddress, parseAddressOrAny } from '../../core/address.ts';
import { kept } from '../../core/kept.ts';
import { virtualServerKey } from '../../gtm/description.ts';
import { memberKey } from '../../gtm/facts.ts';
import { ltmMemberKey } from '../../health/ltm-description.ts';
import type { MonitorModule, MonitorRule, MonitorType } from '../../health/monitor.ts';
import type { ProbePlace } from '../../health/probe.ts';
import type { Watch, WatchKind } from '../../health/watch.ts';
import { describeRule, type Monitors } from './describe-monitors.ts';

/** The objects of a type that there are. */
export type ObjectsOfType = (path: string) => readonly AnyConfigObject[];

/** What a monitor says of a thing that is switched off, unless monitor-disabled-objects is on. */
const DISABLED = 'Disabled: not monitored';
/** Monitors that need no port to probe an address; `bigip` asks somebody else. */
const WITHOUT_PORT: ReadonlySet<MonitorType> = new Set(['icmp', 'gateway-icmp', 'bigip']);

const NO_RULE: MonitorRule = { atLeast: 1, monitors: [] };

/** Where something is probed, or why it cannot be. */
type Probed = {
  readonly places: readonly ProbePlace[];
  readonly unprobed: string | undefined;
};

/** All that is watched. Watches of an object are the same as before while nothing that they are made of has changed. */
export function describeWatches(objectsOf: ObjectsOfType, monitors: Monitors): Watch[] {
  const [settings] = objectsOf('gtm global-settings general');
  const [nodeDefault] = objectsOf('ltm default-node-monitor');
  const watchesDisabled = settings?.properties['monitor-disabled-objects'] === true;
  const datacenters = disabledNames(objectsOf('gtm datacenter'));
  /** Whether a server, and with it what it has, is left alone. */
  const isIdle = ({ properties }: AnyConfigObject): boolean =>
    !watchesDisabled && (properties.enabled === false || datacenters.has(textOf(properties.datacenter)));
  const servers = objectsOf('gtm server');
  const nodes = addressesOfNodes(objectsOf);
  const byName = new Map(servers.map((server) => [server.name, server]));
  return [
    ...servers.flatMap((server) => serverWatches(server, monitors, isIdle(server), watchesDisabled)),
    ...(['a', 'aaaa'] as const).flatMap((type) =>
      objectsOf(`gtm pool ${type}`).flatMap((pool) =>
        gtmMemberWatches(pool, type, monitors, watchesDisabled, (member) => {
          const key = splitVirtualServerKey(member);
          const server = byName.get(key.server);
          const virtualServer = server && recordsIn(server.properties['virtual-servers'])[key.virtualServer];
          if (virtualServer === undefined) return notProbed(`There is no virtual server ${member}`);
          return virtualServerPlace(virtualServer, isIdle(server!), watchesDisabled);
        }),
      ),
    ),
    ...objectsOf('ltm node').flatMap((node) => nodeWatches(node, textOf(nodeDefault?.properties.rule), monitors)),
    ...objectsOf('ltm pool').flatMap((pool) => poolWatches(pool, monitors, nodes)),
  ];
}

function disabledNames(objects: readonly AnyConfigObject[]): Set<string> {
  return new Set(objects.flatMap(({ name, properties }) => (properties.enabled === false ? [name] : [])));
}

export const textOf = (value: Value | undefined): string => (typeof value === 'string' ? value : '');
export const recordsIn = (value: Value | undefined): Records =>
  typeof value === 'object' && !Array.isArray(value) ? (value as Records) : {};

/** A watch by a rule in words; none where no monitor is named. */
function watchBy(
  kind: WatchKind,
  key: string,
  ruleText: string,
  module: MonitorModule,
  monitors: Monitors,
  probed: Probed,
): Watch[] {
  if (ruleText === '' || ruleText === 'none' || ruleText === 'default') return [];
  const described = describeRule(ruleText, module, monitors);
  if ('rule' in described) return [{ kind, key, ...probed, rule: described.rule }];
  const unprobed = `Monitor ${described.missing.join(', ')} is none that can probe here`;
  return [{ kind, key, places: [], unprobed, rule: NO_RULE }];
}

const notProbed = (unprobed: string): Probed => ({ places: [], unprobed });

/** Text of an address, with or without a route domain: only the host's own can be probed. */
function placesOf(addresses: readonly string[], port: number): Probed {
  const places: ProbePlace[] = [];
  let unprobed = 'It has no address';
  for (const text of addresses) {
    const address = parseAddress(text);
    if (address === undefined) continue;
    if (address.routeDomain === 0) {
      places.push({
        family: address.family,
        address: formatBareAddress(address),
        port,
        via: undefined,
      });
    } else {
      unprobed = `${text} is in route domain ${address.routeDomain}: only those in route domain 0 are probed`;
    }
  }
  return places.length > 0 ? { places, unprobed: undefined } : notProbed(unprobed);
}

/** The address that a device has itself, where others see another one. */
const translated = (address: string, translation: Value | undefined): string =>
  textOf(translation) === '' || translation === 'none' ? address : textOf(translation);

const serverWatches = kept(
  (server: AnyConfigObject, monitors: Monitors, isIdle: boolean, watchesDisabled: boolean): Watch[] => {
    const { name, properties } = server;
    const rule = textOf(properties.monitor);
    const probed = isIdle ? notProbed(DISABLED) : placesOf(serverAddresses(properties), 0);
    const own = watchBy('server', name, rule, 'gtm', monitors, probed).filter(({ rule }) =>
      rule.monitors.every(({ type, port }) => WITHOUT_PORT.has(type) || port !== undefined),
    );
    const virtualServers = Object.entries(recordsIn(properties['virtual-servers']));
    const ofVirtualServers = virtualServers.flatMap(([key, virtualServer]) => {
      const monitor = textOf(virtualServer.monitor);
      const place = virtualServerPlace(virtualServer, isIdle, watchesDisabled);
      const ruleText = monitor === 'default' ? rule : monitor;
      return watchBy('virtual-server', virtualServerKey(name, key), ruleText, 'gtm', monitors, place);
    });
    return [...own, ...ofVirtualServers];
  },
);

/** All addresses of a server, as they are on its devices. */
export function serverAddresses(properties: Properties): string[] {
  const ofDevices = Object.values(recordsIn(properties.devices)).map(({ addresses }) => recordsIn(addresses));
  return [recordsIn(properties.addresses), ...ofDevices].flatMap((addresses) =>
    Object.entries(addresses).map(([address, { translation }]) => translated(address, translation)),
  );
}

/** Where a virtual server is probed: at its translation where it has one, as a server in the same network sees it. */
function virtualServerPlace(virtualServer: Properties, isIdle: boolean, watchesDisabled: boolean): Probed {
  if (isIdle || (virtualServer.enabled === false && !watchesDisabled)) return notProbed(DISABLED);
  const destination = parseDestination(textOf(virtualServer.destination));
  if (destination === undefined) return notProbed('It has no destination');
  const address = translated(formatBareAddress(destination.address), virtualServer['translation-address']);
  const port = virtualServer['translation-port'];
  return placesOf([address], typeof port === 'number' && port !== 0 ? port : destination.port);
}

function gtmMemberWatches(
  pool: AnyConfigObject,
  type: 'a' | 'aaaa',
  monitors: Monitors,
  watchesDisabled: boolean,
  placeOf: (member: string) => Probed,
): Watch[] {
  const ofPool = textOf(pool.properties.monitor);
  return Object.entries(recordsIn(pool.properties.members)).flatMap(([member, properties]) => {
    const own = textOf(properties.monitor);
    const isDisabled = pool.properties.enabled === false || properties.enabled === false;
    const probed = isDisabled && !watchesDisabled ? notProbed(DISABLED) : placeOf(member);
    const rule = own === 'default' ? ofPool : own;
    return watchBy('member', memberKey(type, pool.name, member), rule, 'gtm', monitors, probed);
  });
}

const nodeWatches = kept((node: AnyConfigObject, defaultRule: string, monitors: Monitors): Watch[] => {
  const rule = ruleOfPart(node.properties.monitor, defaultRule);
  return watchBy('node', node.name, rule, 'ltm', monitors, ltmPlace(textOf(node.properties.address), 0));
});

function poolWatches(pool: AnyConfigObject, monitors: Monitors, nodes: ReadonlyMap<string, string>): Watch[] {
  const ofPool = textOf(pool.properties.monitor);
  return Object.entries(recordsIn(pool.properties.members)).flatMap(([member, properties]) => {
    const rule = ruleOfPart(properties.monitor, ofPool);
    const { address, port } = ltmMember(member, properties, nodes);
    return watchBy('pool-member', ltmMemberKey(pool.name, member), rule, 'ltm', monitors, ltmPlace(address, port));
  });
}

/** The rule of a part of something: its own, or that of the whole; empty: none. */
export function ruleOfPart(own: Value | undefined, whole: string): string {
  const text = textOf(own);
  const rule = text === '' || text === 'default' ? whole : text;
  return rule === 'none' || rule === 'default' ? '' : rule;
}

/** Addresses of nodes by their names. */
export function addressesOfNodes(objectsOf: ObjectsOfType): ReadonlyMap<string, string> {
  return new Map(objectsOf('ltm node').map(({ name, properties }) => [name, textOf(properties.address)]));
}

/** The address and port of a pool member: that of its node, or in its name, where nothing else is written. */
export function ltmMember(
  name: string,
  properties: Properties,
  nodes: ReadonlyMap<string, string>,
): { address: string; port: number } {
  const own = textOf(properties.address);
  const address = own === '' ? (nodes.get(memberNode(name)) ?? memberAddress(name) ?? '') : own;
  return { address, port: memberPort(name) };
}

function ltmPlace(text: string, port: number): Probed {
  const address = parseAddressOrAny(text);
  return address === undefined || isUnspecified(address) ? notProbed('It has no address') : placesOf([text], port);
}
